"""What setup.cfg cannot say: a package index shows the README without the files beside it, so
that a link to one of them is a text there."""

import re
from pathlib import Path

from setuptools import setup

_TO_FILE = re.compile(r"`([^`<]+?)\s+<(?!\w+:)[^>]+>`_")
"""A link that begins with no scheme."""


def without_links_to_files(text: str) -> str:
    return _TO_FILE.sub(r"``\1``", text)


if __name__ == "__main__":
    readme = Path(__file__).with_name("README.rst").read_text(encoding="utf-8")
    setup(
        long_description=without_links_to_files(readme),
        long_description_content_type="text/x-rst",
    )
