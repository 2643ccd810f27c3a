"""What may be changed in a module: each mutant is the module with one small thing turned."""

from __future__ import annotations

import ast
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any, Final

import attrs

_PAIRS: Final = (
    (ast.Lt, "<", ast.LtE, "<="),
    (ast.Gt, ">", ast.GtE, ">="),
    (ast.Eq, "==", ast.NotEq, "!="),
    (ast.In, "in", ast.NotIn, "not in"),
    (ast.Is, "is", ast.IsNot, "is not"),
    (ast.And, "and", ast.Or, "or"),
    (ast.Add, "+", ast.Sub, "-"),
    (ast.Mult, "*", ast.Div, "/"),
    (ast.BitOr, "|", ast.BitAnd, "&"),
)
_TURNED: Final[dict[type[ast.AST], tuple[type[ast.AST], str]]] = {
    **{one: (other, f"{sign} becomes {turned}") for one, sign, other, turned in _PAIRS},
    **{other: (one, f"{turned} becomes {sign}") for one, sign, other, turned in _PAIRS},
}
_PASS = ast.Pass(lineno=1, end_lineno=1, col_offset=0, end_col_offset=0)


@attrs.frozen
class Mutant:
    path: str
    """Of the module, in the checkout."""
    where: str
    """The qualified name of the function around it that others see; ``""`` if there is none,
    and it is run when the module is imported."""
    text: str
    """The line as it is."""
    change: str
    line: int
    lines: frozenset[int]
    """A test that runs none of these does not see it."""
    code: CodeType = attrs.field(repr=False)
    """Of the whole module."""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What it is known by, whatever lines move."""
        return self.path, self.where, self.text, self.change

    def as_text(self) -> str:
        return f"{self.path}:{self.line}  {self.where}\n    {self.text}\n    {self.change}"

    def is_in_share(self, share: float) -> bool:
        return zlib.crc32(repr(self.key).encode()) < share * 2**32


def mutants_of(path: str) -> Iterator[Mutant]:
    """The mutants of a module, from top to bottom."""
    source = Path(path).read_text()
    tree = ast.parse(source)
    file = str(Path(path).resolve())
    lines = source.splitlines()
    for spot, where in _spots(tree, "", "", None):
        for new, change in _changes(spot):
            spot.put(new)
            code = compile(tree, file, "exec")
            spot.put(spot.node)
            text = lines[spot.line - 1].strip()
            yield Mutant(path, where, text, change, spot.line, spot.lines, code)


@attrs.frozen
class _Spot:
    """Where a node hangs in the tree."""

    parent: Any
    field: str
    index: int | None
    node: ast.AST
    statement: ast.stmt | None

    def put(self, node: ast.AST) -> None:
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node

    @property
    def line(self) -> int:
        place = self.node if hasattr(self.node, "lineno") else self.parent
        return place.lineno  # type: ignore[no-any-return]

    @property
    def lines(self) -> frozenset[int]:
        places: list[Any] = [self.node if hasattr(self.node, "lineno") else self.parent]
        if self.statement is not None and not hasattr(self.statement, "body"):
            places.append(self.statement)
        return frozenset(n for place in places for n in range(place.lineno, place.end_lineno + 1))


def _spots(
    node: ast.AST, scope: str, where: str, statement: ast.stmt | None
) -> Iterator[tuple[_Spot, str]]:
    """All below a node that may be changed, each with the function that it is in."""
    if isinstance(node, ast.stmt):
        statement = node
    own = where
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not where:
        own = f"{scope}{node.name}"
    if isinstance(node, ast.ClassDef):
        scope = f"{scope}{node.name}."
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns"):
            continue
        inner = own if field == "body" else where
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST) and not _says_nothing(child):
                yield _Spot(node, field, index, child, statement), inner
                yield from _spots(child, scope, inner, statement)


def _says_nothing(node: ast.AST) -> bool:
    """It is for readers and the type checker only, or a text."""
    match node:
        case ast.Assert() | ast.Import() | ast.ImportFrom() | ast.JoinedStr():
            return True
        case ast.If(test=ast.Name("TYPE_CHECKING")) | ast.Assign(targets=[ast.Name("__all__")]):
            return True
        case ast.BinOp(op=ast.BitOr()):
            return ast.unparse(node)[0].isupper()  # a union of types
    return False


def _changes(spot: _Spot) -> Iterator[tuple[ast.AST, str]]:
    """What may stand in place of a node, and a word for it."""
    node, parent, field = spot.node, spot.parent, spot.field

    def constant(value: Any) -> ast.Constant:
        return ast.copy_location(ast.Constant(value), node)

    if type(node) in _TURNED:
        turned, word = _TURNED[type(node)]
        yield turned(), word
    match node:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand, f"not {ast.unparse(operand)}, without the not"
        case ast.Constant(value=bool() as value):
            yield constant(not value), f"{value} becomes {not value}"
        case ast.Constant(value=int() | float() as value):
            yield constant(value + 1), f"{value} becomes {value + 1}"
        case ast.Expr(value=ast.Call() | ast.Await()) | ast.Delete():
            yield ast.copy_location(_PASS, node), f"without {ast.unparse(node)[:50]}"
    if (field == "test" and isinstance(parent, ast.If | ast.IfExp)) or field in ("guard", "ifs"):
        yield constant(True), "always"
        yield constant(False), "never"
    if field == "value" and isinstance(parent, ast.Return | ast.Assign | ast.AnnAssign):
        match node:
            case ast.Constant(value=bool() | int() | float() | None):
                pass
            case ast.Subscript(value=ast.Name(id=name)) if name[0].isupper():
                pass  # a name for a type
            case _:
                yield constant(None), f"None for {ast.unparse(node)[:50]}"
