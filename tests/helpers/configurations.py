"""Configurations as text, and what is said of them."""

import textwrap

import pytest

from supervisor.config.file import ConfigError, parse_config


def parse(text, **options):
    options.setdefault("environ", {})
    return parse_config(textwrap.dedent(text).encode(), **options)


def mistakes(text, **options):
    with pytest.raises(ConfigError) as caught:
        parse(text, **options)
    return str(caught.value).splitlines()


def system(text="", *, name="plc-1", kind="mock"):
    return f'[[system]]\nname = "{name}"\nkind = "{kind}"\n{textwrap.dedent(text)}\n'
