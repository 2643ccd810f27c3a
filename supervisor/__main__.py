"""``python -m supervisor`` is the same as ``extsys``."""

from supervisor.cli import main

if __name__ == "__main__":
    main()
