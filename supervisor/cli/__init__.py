"""The command line, ``extsys``."""

import os
import signal


def _end(*_: object) -> None:
    os._exit(130)  # nothing has been done that were to be ended in order


# What is imported takes a moment: a Ctrl-C in it ends the process without a traceback. Where it
# is ignored, or somebody else's, it stays so.
_handler = signal.getsignal(signal.SIGINT)
if _handler is signal.default_int_handler:
    signal.signal(signal.SIGINT, _end)
try:
    from supervisor.cli.commands import main
finally:
    if _handler is signal.default_int_handler:
        signal.signal(signal.SIGINT, _handler)

__all__ = ["main"]
