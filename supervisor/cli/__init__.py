"""The command line, ``extsys``."""

import signal

# What is imported takes a moment: a Ctrl-C in it ends the process as one that handles none, without
# a traceback. Where it is ignored, it stays so.
_handler = signal.getsignal(signal.SIGINT)
if _handler is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
try:
    from supervisor.cli.commands import main
finally:
    if _handler is signal.default_int_handler:
        signal.signal(signal.SIGINT, _handler)

__all__ = ["main"]
