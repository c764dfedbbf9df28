"""Automatic wrong solutions: one small change of a target's body each. A grader that lets one pass has a hole.

sign          a + b → a - b        -a → a
dropped term  a + b → a            a * b → a            a / b → a
scale         0.5 → 1.0
off by one    x[1:] → x[2:]
transpose     x.transpose(i, j) → x        x.T → x        dim=-1 → dim=-2
comparison    a < b → a <= b       a == b → a != b       ~a → a       not a → a
deaf          an argument with a default is that default, whatever is given
"""

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from lessons.exercises.source import find, functions, parse, statements

SWAPPED = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
}
LEFT_ALONE = (ast.Raise, ast.FormattedValue, ast.JoinedStr)
"""What an error says is not what an exercise is about."""


@dataclass(frozen=True)
class Mutant:
    """One changed place: the line that it is in, as it stands now, and the whole file with it."""

    label: str
    source: str


def mutants(source: str, targets: Sequence[str]) -> Iterator[Mutant]:
    """Every mutant of the targets' bodies, each of them valid Python."""
    tree = parse(source)
    encoded = source.encode()
    line_starts = [0]
    for line in encoded.splitlines(keepends=True):
        line_starts.append(line_starts[-1] + len(line))

    def span(node: ast.expr) -> tuple[int, int]:
        start = line_starts[node.lineno - 1] + node.col_offset
        return start, line_starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)

    def text(node: ast.expr) -> str:
        start, end = span(node)
        return encoded[start:end].decode()

    for target in targets:
        for _, function in functions(find(tree, target), target):
            yield from deaf(source, function)
            for node in every_expression(statements(function)):
                start, end = span(node)
                for new in changes(node, text):
                    changed = encoded[:start] + f"({new})".encode() + encoded[end:]
                    if new != text(node) and compiles(changed):
                        yield Mutant(changed.splitlines()[node.lineno - 1].decode().strip(), changed.decode())


def deaf(source: str, function: ast.FunctionDef) -> Iterator[Mutant]:
    """An argument that nothing reads: one more line at the top of the body."""
    given, first = function.args, statements(function)[0]
    optional = [*zip(given.args[len(given.args) - len(given.defaults) :], given.defaults, strict=True)]
    optional += [(name, default) for name, default in zip(given.kwonlyargs, given.kw_defaults, strict=True) if default]
    for name, default in optional:
        line = f"{name.arg} = {ast.unparse(default)}"
        lines = source.splitlines(keepends=True)
        lines.insert(first.lineno - 1, f"{' ' * first.col_offset}{line}\n")
        yield Mutant(f"{line}  # an argument that is not looked at", "".join(lines))


def every_expression(nodes: Sequence[ast.AST]) -> Iterator[ast.expr]:
    for node in nodes:
        if isinstance(node, LEFT_ALONE) or is_check(node):
            continue
        if isinstance(node, ast.expr):
            yield node
        yield from every_expression(list(ast.iter_child_nodes(node)))


def is_check(node: ast.AST) -> bool:
    """`if ...: raise ...` refuses impossible arguments; an exercise does not ask for it."""
    return isinstance(node, ast.If) and all(isinstance(inner, ast.Raise) for inner in node.body) and not node.orelse


def changes(node: ast.expr, text: Callable[[ast.expr], str]) -> Iterator[str]:
    """What may stand in the place of this expression."""
    if isinstance(node, ast.BinOp):
        if swapped := SWAPPED.get(type(node.op)):
            yield f"{text(node.left)} {swapped} {text(node.right)}"
        if isinstance(node.op, ast.Add | ast.Mult | ast.Div | ast.Sub):
            yield text(node.left)
    elif isinstance(node, ast.Compare) and (swapped := SWAPPED.get(type(node.ops[0]))):
        yield f"{text(node.left)} {swapped} {text(node.comparators[0])}"
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Invert | ast.Not):
        if isinstance(node.operand, ast.Constant) and node.operand.value == 1:
            yield "-2"
        elif not isinstance(node.operand, ast.Constant):
            yield text(node.operand)
    elif isinstance(node, ast.Constant) and isinstance(node.value, float) and node.value:
        yield str(2 * node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int) and not isinstance(node.value, bool):
        yield str(node.value + 1)
    elif isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        yield text(node.value)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "transpose":
        yield text(node.func.value)


def compiles(source: bytes) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True
