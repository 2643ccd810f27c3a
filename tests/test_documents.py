"""What the documents show works: their programs, configurations and commands.

A Python block is run as a program. One that awaits at its top level is a fragment: it is
run inside a coroutine that has a ``manager`` with two connected systems (``FRAME``). The
comment ``.. skip-test: reason`` before a block keeps it from being tested.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import textwrap
from pathlib import Path

import attrs
import click
import docutils.core
import pytest
from docutils import nodes

from supervisor.cli.commands import main
from supervisor.config.file import check_kind, parse_config
from supervisor.runtime.actor_system import free_port
from tests.helpers.programs import ROOT, run_program

DOCUMENTS = [ROOT / "README.rst", ROOT / "CHANGELOG.rst", *sorted((ROOT / "docs").glob("*.rst"))]

ADMIN_PORT = "19007"
"""Stands in the documents for a port of the reader's choice."""

FRAME = """\
import asyncio
from actors import *
from actors.messages import *
from supervisor import *
from supervisor.messages import *

async def main(manager):
    valve = MockExternalSystem("valve", {{"echo": True}})
    pump = MockExternalSystem("pump", {{"echo": True}})
    async with manager:
        manager.register_system(valve)
        manager.register_system(pump)
        await manager.connect_all()
        await fragment(manager, valve, pump)

async def fragment(manager, valve, pump):
{fragment}

asyncio.run(main(ExternalSystemManager(options=SupervisorOptions(log_level="critical"))))
"""


@attrs.frozen
class Block:
    document: str
    line: int
    language: str
    text: str = attrs.field(repr=False)

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def read(path: Path) -> tuple[nodes.document, str]:
    """A document, and what docutils finds wrong with it."""
    complaints: list[str] = []
    settings = {
        "report_level": 2,
        "halt_level": 5,
        "warning_stream": _Lines(complaints),
        "syntax_highlight": "none",
        "_disable_config": True,
    }
    doctree = docutils.core.publish_doctree(
        path.read_text(), source_path=str(path), settings_overrides=settings
    )
    return doctree, "".join(complaints)


class _Lines:
    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def write(self, text: str) -> None:
        self._lines.append(text)


def blocks_of(path: Path) -> list[Block]:
    found = []
    for node in read(path)[0].findall(nodes.literal_block):
        languages = [name for name in node["classes"] if name != "code"]
        index = node.parent.index(node)
        before = node.parent[index - 1] if index else None
        skipped = isinstance(before, nodes.comment) and re.match(r"skip-test: \S", before.astext())
        if languages and not skipped:
            name = str(path.relative_to(ROOT))
            found.append(Block(name, node.line or 0, languages[0], node.astext()))
    return found


BLOCKS = [block for path in DOCUMENTS for block in blocks_of(path)]


def blocks_in(language: str) -> pytest.MarkDecorator:
    found = [block for block in BLOCKS if block.language == language]
    assert found
    return pytest.mark.parametrize("block", found, ids=str)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_is_valid(path):
    assert read(path)[1] == ""


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_links_only_to_what_is_there(path):
    for node in read(path)[0].findall(nodes.reference):
        target = node.get("refuri", "")
        if target and "://" not in target:
            assert (path.parent / target.partition("#")[0]).exists(), target


def test_every_block_has_a_language_that_is_known():
    assert {block.language for block in BLOCKS} <= {"python", "toml", "console", "text", "json"}


@blocks_in("python")
def test_a_python_block_runs(block):
    program = block.text.replace(ADMIN_PORT, str(free_port()))
    if _is_fragment(program):
        program = FRAME.format(fragment=textwrap.indent(program, "    "))
    done = run_program(["-c", program])
    assert done.code == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert done.leftover_processes == []
    assert done.leftover_files == []


@blocks_in("toml")
def test_a_toml_block_is_a_configuration(block):
    variables = dict.fromkeys(re.findall(r"\$\{(\w+)\}", block.text), "x")
    parse_config(block.text.encode(), environ=variables, check_kind=_check_known_kind)


@blocks_in("console")
def test_a_console_block_uses_commands_that_are_there(block):
    commands = [line[2:] for line in block.text.splitlines() if line.startswith("$ ")]
    assert commands
    for command in commands:
        for part in command.split(" | "):
            _check_command(shlex.split(part, comments=True))


def _is_fragment(program: str) -> bool:
    """Whether it awaits outside of any function."""
    tree = compile(program, "block", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    awaits = (ast.Await, ast.AsyncFor, ast.AsyncWith)
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, awaits):
            return True
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            todo.extend(ast.iter_child_nodes(node))
    return False


def _check_known_kind(kind, details):
    """Classes of the reader's own are not here."""
    return [] if ":" in kind else check_kind(kind, details)


def _check_command(words: list[str]) -> None:
    while words and re.match(r"\w+=", words[0]):
        words = words[1:]
    program, *arguments = words
    if program.startswith("scripts/"):
        assert os.access(ROOT / program, os.X_OK), program
        if program != "scripts/demo":
            return
        program, arguments = "extsys", ["demo", *arguments]
    if words[:3] == ["python", "-m", "supervisor"]:
        program, arguments = "extsys", words[3:]
    if program == "extsys":
        _check_extsys(arguments)


def _check_extsys(arguments: list[str]) -> None:
    """Have click parse them, and run nothing."""
    context = click.Context(main, info_name="extsys")
    options, rest, _ = main.make_parser(context).parse_args(arguments)
    if options.keys() & {"help", "version"}:
        return
    name, *rest = rest
    command = main.get_command(context, name)
    assert command is not None, f"extsys has no command {name}"
    command.make_context(name, rest, parent=context).close()


@pytest.mark.parametrize(
    "arguments",
    [["vlave"], ["send", "valve"], ["status", "--jsno"], ["receive", "a", "--wait", "x"]],
)
def test_a_wrong_command_would_be_found(arguments):
    with pytest.raises((click.UsageError, AssertionError)):
        _check_extsys(arguments)
