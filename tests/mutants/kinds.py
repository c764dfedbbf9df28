"""The kinds of mistakes: what may stand in the place of an expression, and which statements could be forgotten.

From the exercises' own (lessons/exercises/selfcheck/mutants.py): a sign, a term, a factor, an index, a comparison,
a transpose. Besides, what goes wrong in wiring:

option        f(x, k=v) → f(x)         True → False            a if c else b → a, b
condition     if c → if not c          a and b → a or b        any → all, min → max, sum → mean
copy          x.clone() → x            x.detach() → x          sorted(x) → x
statement     f(x), x.y = z and x += y left out                if ...: raise left out

Left alone: what an error says, docstrings, and what is there for the type checker.
"""

import ast
from collections.abc import Callable, Iterator

Text = Callable[[ast.expr], str]
ALONE = (ast.Raise, ast.JoinedStr, ast.AnnAssign, ast.Import, ast.ImportFrom, ast.Assert)
SWAPPED_NAMES = {"any": "all", "all": "any", "min": "max", "max": "min", "sum": "mean", "mean": "sum"}
DROPPED_METHODS = (
    *("clone", "detach", "copy", "eval", "train", "float", "double", "abs", "sqrt", "exp", "log", "clamp"),
    *("contiguous", "masked_fill", "flip", "softmax", "log_softmax", "requires_grad_", "to", "type_as"),
)
DROPPED_FUNCTIONS = ("sorted", "deepcopy", "set", "dict", "list", "dropout")
OF_THE_MACHINE = ("device", "strict")
"""Arguments whose default is the same here: a processor has one device, and a strict zip only refuses what cannot be."""
NAMES_OF_TYPES = ("cast", "TypeVar", "NewType", "Literal")


def parts(node: ast.AST) -> Iterator[ast.expr]:
    """The expression and all within it, but for annotations and what is said in words."""
    if isinstance(node, ALONE):
        return
    if isinstance(node, ast.expr):
        yield node
    for inner in ast.iter_child_nodes(node):
        if not (isinstance(node, ast.Subscript) and is_type(node)):
            yield from parts(inner)


def more_changes(node: ast.expr, text: Text) -> Iterator[str]:
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


def changed_calls(node: ast.Call, text: Text) -> Iterator[str]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name in NAMES_OF_TYPES:
        return
    arguments = [text(argument) for argument in node.args]
    keywords = [(k.arg, f"{k.arg}={text(k.value)}" if k.arg else f"**{text(k.value)}") for k in node.keywords]
    for dropped, _ in keywords:
        if dropped and dropped not in OF_THE_MACHINE:
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
