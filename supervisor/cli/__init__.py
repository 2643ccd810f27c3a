"""The command line, ``extsys``."""

from supervisor.cli.commands import main

__all__ = ["main"]
