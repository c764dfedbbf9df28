"""The mutants of a file: one small plausible mistake each, of the kinds that a reader would not see.

From the exercises' own (lessons/exercises/selfcheck/mutants.py): a sign, a term, a factor, an index, a comparison,
a transpose. Besides, what goes wrong in wiring:

option        f(x, k=v) → f(x)         True → False            a if c else b → a, b
condition     if c → if not c          a and b → a or b        any → all, min → max, sum → mean
copy          x.clone() → x            x.detach() → x          sorted(x) → x
statement     f(x), x.y = z and x += y left out                if ...: raise left out

Left alone: what an error says, docstrings, and what is there for the type checker.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from lessons.exercises.selfcheck.mutants import changes, compiles

ALONE = (ast.Raise, ast.JoinedStr, ast.AnnAssign, ast.Import, ast.ImportFrom, ast.Assert)
SWAPPED_NAMES = {"any": "all", "all": "any", "min": "max", "max": "min", "sum": "mean", "mean": "sum"}
DROPPED_METHODS = (
    *("clone", "detach", "copy", "eval", "train", "float", "double", "abs", "sqrt", "exp", "log", "clamp"),
    *("contiguous", "masked_fill", "flip", "softmax", "log_softmax", "requires_grad_", "to", "type_as"),
)
DROPPED_FUNCTIONS = ("sorted", "deepcopy", "set", "dict", "list", "dropout")
NAMES_OF_TYPES = ("cast", "TypeVar", "NewType", "Literal")


@dataclass(frozen=True)
class Mutant:
    """One changed place. `function` is the outermost function around it, empty for what runs when the module is imported."""

    file: str
    function: str
    lines: tuple[int, int]
    old: str
    new: str
    start: int
    end: int
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
        return Mutant(self.file, function, lines, self.text(node), new, *self.span(node))


def parts(node: ast.AST) -> Iterator[ast.expr]:
    """The expression and all within it, but for annotations and what is said in words."""
    if isinstance(node, ALONE):
        return
    if isinstance(node, ast.expr):
        yield node
    for inner in ast.iter_child_nodes(node):
        if not (isinstance(node, ast.Subscript) and is_type(node)):
            yield from parts(inner)


def more_changes(node: ast.expr, text) -> Iterator[str]:
    """What may stand in the place of this expression, beside what the exercises' own mutants have."""
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield str(not node.value)
    elif isinstance(node, ast.BoolOp):
        other = " or " if isinstance(node.op, ast.And) else " and "
        yield other.join(text(value) for value in node.values)
    elif isinstance(node, ast.IfExp):
        yield text(node.body)
        yield text(node.orelse)
    elif isinstance(node, ast.Call):
        yield from changed_calls(node, text)


def changed_calls(node: ast.Call, text) -> Iterator[str]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name in NAMES_OF_TYPES:
        return
    arguments = [text(argument) for argument in node.args]
    keywords = [(k.arg, f"{k.arg}={text(k.value)}" if k.arg else f"**{text(k.value)}") for k in node.keywords]
    for dropped, _ in keywords:
        if dropped:
            rest = [part for key, part in keywords if key != dropped]
            yield f"{text(node.func)}({', '.join([*arguments, *rest])})"
    if name in SWAPPED_NAMES:
        end = text(node.func)[: -len(name)] + SWAPPED_NAMES[name]
        yield f"{end}({', '.join([*arguments, *(part for _, part in keywords)])})"
    if isinstance(node.func, ast.Attribute) and name in DROPPED_METHODS:
        yield text(node.func.value)
    if isinstance(node.func, ast.Name) and name in DROPPED_FUNCTIONS and len(node.args) == 1:
        yield arguments[0]


def left_out(node: ast.stmt) -> bool:
    """Whether a statement is one that could be forgotten: a call, a value put somewhere, a check."""
    if isinstance(node, ast.Assign):
        return all(isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets)
    if isinstance(node, ast.If):
        return all(isinstance(inner, ast.Raise) for inner in node.body) and not node.orelse
    return isinstance(node, ast.AugAssign | ast.Delete) or (
        isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant | ast.Yield | ast.YieldFrom)
    )


def is_type(node: ast.expr) -> bool:
    """Whether an expression is there for the type checker: Float[Tensor, "..."], int | None."""
    if isinstance(node, ast.Subscript):
        return isinstance(node.value, ast.Name) and node.value.id[:1].isupper() and not node.value.id.isupper()
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return is_type(node.left) or is_type(node.right) or isinstance(node.left, ast.Name)
    return False
