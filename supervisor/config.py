"""The TOML file of a supervisor: read, checked to the last key, made into specs.

:func:`parse_config` is pure but for the imports that a kind needs; :func:`load_config`
adds the file and the environment.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from actors.errors import ActorSetupError
from actors.kinds import resolve_kind
from actors.settings import (
    Mistake,
    MistakesError,
    describe_value,
    read_table,
    unknown_key,
)
from supervisor.options import SupervisorOptions
from supervisor.spec import SystemSpec

CheckKind = Callable[[str, Mapping[str, Any]], list[str]]
"""Says what is wrong with a kind and its connection details, one text per mistake. A text
names the key it is about and never quotes a value of the details."""


@attrs.frozen
class Config:
    """What a configuration file says."""

    options: SupervisorOptions
    systems: tuple[SystemSpec, ...]
    """In the order of the file."""


class ConfigError(Exception):
    """A configuration cannot be used. The fault of whoever wrote it.

    The text has a line for each mistake: where it is, what is wrong, how to mend it.
    """

    def __init__(self, mistakes: list[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(mistakes))


def check_kind(kind: str, details: Mapping[str, Any]) -> list[str]:
    """What is wrong with a kind, or else, if its class has a ``check_details``, with
    ``details``. Imports the class's module and builds nothing."""
    try:
        system_class = resolve_kind(kind)
    except ActorSetupError as error:
        return [str(error)]
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
    reader = _Reader(os.environ if environ is None else environ, check_kind)
    return reader.read(_parse_toml(content))


_TABLES: Final = ("supervisor", "system")


def _parse_toml(content: bytes) -> dict[str, Any]:
    try:
        text = content.decode()
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


class _Reader:
    """One pass over one document, gathering its mistakes."""

    def __init__(self, environ: Mapping[str, str], check_kind: CheckKind) -> None:
        self._environ = environ
        self._check_kind = check_kind
        self._mistakes: list[str] = []
        self._places: dict[str, int] = {}
        """The number of the first system of each name."""

    def read(self, document: dict[str, Any]) -> Config:
        self._add(unknown_key(key, _TABLES, "table") for key in document if key not in _TABLES)
        options = self._read_options(document.get("supervisor", {}))
        systems = [
            self._read_system(number, table)
            for number, table in enumerate(self._system_tables(document), 1)
        ]
        if self._mistakes:
            raise ConfigError(self._mistakes)
        return Config(options, tuple(filter(None, systems)))

    def _read_options(self, table: object) -> SupervisorOptions:
        try:
            return read_table(SupervisorOptions, table, show_values=True)
        except MistakesError as error:
            self._add(mistake.under("supervisor") for mistake in error.mistakes)
            return SupervisorOptions()

    def _system_tables(self, document: dict[str, Any]) -> list[Any]:
        tables = document.get("system", [])
        if isinstance(tables, list):
            return tables
        self._mistakes.append(
            f"system: must be an array of tables, not {describe_value(tables)}; "
            "begin each system with [[system]]"
        )
        return []

    def _read_system(self, number: int, table: Any) -> SystemSpec | None:
        """The spec of one table; None, and a mistake more, when it has mistakes."""
        if not isinstance(table, dict):
            word = describe_value(table)
            self._add([Mistake((), f"system #{number}: must be a table, not {word}")])
            return None
        name, kind = table.get("name"), table.get("kind")
        printable = isinstance(name, str) and name and name.isprintable()
        where = f'system "{name}"' if printable else f"system #{number}"
        mistakes: list[Mistake] = []
        if isinstance(name, str) and (first := self._places.setdefault(name, number)) != number:
            mistakes.append(
                Mistake(("name",), f"is the name of system #{first} too; rename #{number}")
            )
        details = table.get("connection_details", {})
        if isinstance(details, dict):
            details, missing = _expand(details, self._environ)
            mistakes += [mistake.under("connection_details") for mistake in missing]
            table = {**table, "connection_details": details}
        try:
            spec = read_table(SystemSpec, table, show_values=True, leave_out=("snapshot",))
        except MistakesError as error:
            spec = None
            mistakes += error.mistakes
        if isinstance(kind, str):
            about = details if isinstance(details, dict) else {}
            mistakes += [Mistake((), text) for text in self._check_kind(kind, about)]
        self._add(mistakes, f"{where}: ")
        return spec

    def _add(self, mistakes: Iterable[Mistake], where: str = "") -> None:
        # A text may come from an import or a check_details; it gets one line all the same.
        self._mistakes += [" ".join(f"{where}{mistake}".split()) for mistake in mistakes]


_VARIABLE: Final = re.compile(r"(?P<escaped>\$\$\{)|\$\{(?P<name>[A-Za-z_]\w*)\}|(?P<bad>\$\{)")


def _expand(details: dict[str, Any], environ: Mapping[str, str]) -> tuple[Any, list[Mistake]]:
    """``details`` with each ``${NAME}`` in its strings replaced, and what hinders that.

    ``$${`` stands for ``${``. What cannot be replaced is left as it is.
    """
    mistakes: list[Mistake] = []

    def expand(value: Any, *path: str | int) -> Any:
        if isinstance(value, dict):
            return {key: expand(item, *path, key) for key, item in value.items()}
        if isinstance(value, list):
            return [expand(item, *path, index) for index, item in enumerate(value)]
        if isinstance(value, str):
            mistakes.extend(Mistake(path, text) for text in _hindrances(value, environ))
            return _VARIABLE.sub(replacement, value)
        return value

    def replacement(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "${"
        return environ.get(match["name"] or "", match[0])

    return expand(details), mistakes


def _hindrances(value: str, environ: Mapping[str, str]) -> Iterator[str]:
    for match in _VARIABLE.finditer(value):
        if match["bad"]:
            yield 'has a "${" without a variable\'s name and "}"; write "$${" for a plain "${"'
        elif match["name"] and match["name"] not in environ:
            yield f"environment variable {match['name']} is not set; set it"
