"""The TOML file of a supervisor: read, checked to the last key, made into specs.

:func:`parse_config` is pure but for the imports that a kind needs; :func:`load_config`
adds the file and the environment.
"""

from __future__ import annotations

import codecs
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from actors.connectors.classes import mistakes_in_class, why_no_pings
from actors.connectors.kinds import resolve_kind
from actors.errors import ActorSetupError
from supervisor.config.reader import CheckKind, Reader
from supervisor.specs.options import SupervisorOptions
from supervisor.specs.spec import GroupSpec, SystemSpec


@attrs.frozen
class Config:
    """What a configuration file says."""

    options: SupervisorOptions
    tree: GroupSpec
    """The root group, with all others and the systems in it."""
    warnings: tuple[str, ...] = ()
    """What can be meant so, but hardly is, a line each."""

    @property
    def systems(self) -> tuple[SystemSpec, ...]:
        """All systems, in the order of their start."""
        return self.tree.systems


class ConfigError(Exception):
    """A configuration cannot be used. The fault of whoever wrote it.

    The text has a line for each mistake: where it is, what is wrong, how to mend it.
    """

    def __init__(self, mistakes: list[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(mistakes))


def check_kind(kind: str, details: Mapping[str, Any]) -> list[str]:
    """What is wrong with a kind and its class, or else, if that has a ``check_details``, with
    ``details``. Imports the class's module and builds nothing."""
    try:
        system_class = resolve_kind(kind)
    except ActorSetupError as error:
        return [str(error)]
    if mistakes := mistakes_in_class(system_class):
        return [f'kind "{kind}": {text}' for text in mistakes]
    check_details = getattr(system_class, "check_details", None)
    if check_details is None:
        return []
    try:
        return [f"connection_details.{text}" for text in check_details(details)]
    except Exception as error:
        # Only the type: the text of somebody else's error may quote a secret.
        return [
            f"connection_details: cannot be checked, because {system_class.__qualname__}"
            f".check_details raised {type(error).__name__}"
        ]


def load_config(
    path: str | os.PathLike[str],
    *,
    environ: Mapping[str, str] | None = None,
    check_kind: CheckKind = check_kind,
) -> Config:
    """Read and check a configuration file. Imports the modules of its kinds.

    Args:
        environ: where ``${NAME}`` in connection details comes from; None is the
            environment of this process.
        check_kind: called for each system whose kind is a string.

    Raises:
        ConfigError: the file cannot be read, is no TOML, or has mistakes: all of them.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise ConfigError([f"{path}: there is no such file"]) from None
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from error
    try:
        if not _parse_toml(content):
            raise ConfigError(["is empty; a system begins with [[system]]"])
        return parse_config(content, environ=environ, check_kind=check_kind)
    except ConfigError as error:
        raise ConfigError([f"{path}: {mistake}" for mistake in error.mistakes]) from None


def parse_config(
    content: bytes,
    *,
    environ: Mapping[str, str] | None = None,
    check_kind: CheckKind = check_kind,
) -> Config:
    """The same from the content of a file.

    Raises:
        ConfigError: it is no TOML, or has mistakes: all of them.
    """
    reader = Reader(os.environ if environ is None else environ, check_kind)
    document = _parse_toml(content)
    try:
        read = reader.read(document)
    except RecursionError:
        raise ConfigError(["tables are nested too deeply; use fewer groups in groups"]) from None
    if read is None:
        raise ConfigError(reader.mistakes)
    if mistakes := [*_mistakes_in_pings(read[1].systems)]:
        raise ConfigError(mistakes)
    return Config(*read, tuple(reader.warnings))


def _mistakes_in_pings(systems: Iterable[SystemSpec]) -> Iterator[str]:
    for spec in systems:
        if spec.policy.keep_alive is None:
            continue
        try:
            why = why_no_pings(resolve_kind(spec.kind), spec.policy.keep_alive)
        except ActorSetupError:
            continue  # whoever checked its kind has another idea of it
        if why is not None:
            yield f'system "{spec.name}": {why}'


def _parse_toml(content: bytes) -> dict[str, Any]:
    try:
        text = content.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"line {line}: is not UTF-8; save the file as UTF-8"]) from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # It quotes keys and single characters, never values.
        last = text.count("\n") + (not text.endswith("\n"))
        what, _, where = str(error).rpartition(" (at ")
        where = where.rstrip(")").replace("end of document", f"the end, line {last}")
        raise ConfigError([f"no valid TOML at {where}: {what}"]) from None
    except RecursionError:
        raise ConfigError(["no valid TOML: arrays or tables are nested too deeply"]) from None
    except ValueError:
        raise ConfigError(["no valid TOML: a number has too many digits"]) from None
