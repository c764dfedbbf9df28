"""The mutants of a file: one small plausible mistake each, of the kinds that a reader would not see (kinds.py)."""

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from lessons.exercises.selfcheck.mutants import changes, compiles
from tests.mutants.kinds import ALONE, is_type, left_out, more_changes, parts


@dataclass(frozen=True)
class Mutant:
    """One changed place. `function` is the outermost function around it, empty for what runs when the module is imported.

    `lines`   those of the statement, without the statements inside it
    `last`    the last line of what is inside
    """

    file: str
    function: str
    lines: tuple[int, int]
    old: str
    new: str
    start: int
    end: int
    last: int = 0
    number: int = 0

    @property
    def name(self) -> str:
        """What it is called where results are kept: it stays when other lines of the file change."""
        again = f" #{self.number}" if self.number else ""
        return f"{self.file} {self.function or 'module'}: {short(self.old)} → {short(self.new)}{again}"

    def applied(self, source: str) -> str:
        encoded = source.encode()
        return (encoded[: self.start] + self.new.encode() + encoded[self.end :]).decode()


def short(text: str) -> str:
    return " ".join(text.split()) or "nothing"


def mutants(file: str, source: str) -> list[Mutant]:
    """Every mutant of a file, each of them valid Python and with a name of its own."""
    seen: Counter[str] = Counter()
    found = []
    for mutant in Places(file, source).of_module():
        if mutant.old == mutant.new or not compiles(mutant.applied(source).encode()):
            continue
        number = seen[mutant.name]
        seen[mutant.name] += 1
        found.append(Mutant(**{**mutant.__dict__, "number": number}))
    return found


class Places:
    """Walks through a file, knowing in which function and in which statement's lines it is."""

    def __init__(self, file: str, source: str):
        self.file, self.encoded, self.tree = file, source.encode(), ast.parse(source)
        self.last_lines: dict[int, int] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.stmt) and not isinstance(node, ast.FunctionDef | ast.ClassDef):
                self.last_lines[node.lineno] = max(node.end_lineno or 0, self.last_lines.get(node.lineno, 0))
        self.starts = [0]
        for line in self.encoded.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        end = self.starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
        return self.starts[node.lineno - 1] + node.col_offset, end

    def text(self, node: ast.expr | ast.stmt) -> str:
        start, end = self.span(node)
        return self.encoded[start:end].decode()

    def of_module(self) -> Iterator[Mutant]:
        yield from self.of_block(self.tree.body, "", "")

    def of_block(self, body: list[ast.stmt], function: str, scope: str) -> Iterator[Mutant]:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                yield from self.of_definition(node, function, f"{scope}{node.name}")
            elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                continue
            else:
                yield from self.of_statement(node, function, scope)

    def of_definition(self, node: ast.FunctionDef | ast.ClassDef, function: str, name: str) -> Iterator[Mutant]:
        if isinstance(node, ast.ClassDef):
            yield from self.of_block(node.body, function, f"{name}.")
            return
        defaults = [*node.args.defaults, *(default for default in node.args.kw_defaults if default)]
        for default in defaults:
            yield from self.of_expression(default, function, (node.lineno, node.body[0].lineno - 1))
        yield from self.of_block(node.body, function or name, f"{name}.")

    def of_statement(self, node: ast.stmt, function: str, scope: str) -> Iterator[Mutant]:
        inner = [part for part in ast.iter_child_nodes(node) if isinstance(part, ast.stmt | ast.ExceptHandler)]
        last = inner[0].lineno - 1 if inner else node.end_lineno or 0
        lines = (node.lineno, max(node.lineno, last))
        if function and left_out(node):
            yield self.mutant(node, "pass", function, lines)
        if isinstance(node, ast.AnnAssign) and node.value and not is_type(node.value):
            yield from self.of_expression(node.value, function, lines)
        if isinstance(node, ALONE) or (isinstance(node, ast.Assign) and is_type(node.value)):
            return
        for part in ast.iter_child_nodes(node):
            if isinstance(part, ast.stmt):
                yield from self.of_block([part], function, scope)
            elif isinstance(part, ast.ExceptHandler):
                yield from self.of_block(part.body, function, scope)
            elif isinstance(part, ast.withitem):
                yield from self.of_expression(part.context_expr, function, lines)
            elif isinstance(part, ast.expr):
                yield from self.of_expression(part, function, lines)
        if isinstance(node, ast.If | ast.While) and not isinstance(node.test, ast.Compare | ast.UnaryOp):
            yield self.mutant(node.test, f"not ({self.text(node.test)})", function, lines)

    def of_expression(self, node: ast.expr, function: str, lines: tuple[int, int]) -> Iterator[Mutant]:
        for part in parts(node):
            for new in [*changes(part, self.text), *more_changes(part, self.text)]:
                yield self.mutant(part, f"({new})", function, lines)

    def mutant(self, node: ast.expr | ast.stmt, new: str, function: str, lines: tuple[int, int]) -> Mutant:
        return Mutant(self.file, function, lines, self.text(node), new, *self.span(node), last=self.last_line(lines[0]))

    def last_line(self, first: int) -> int:
        """Of the longest statement, no definition, that begins at this line."""
        return self.last_lines.get(first, first)
