"""Changes of order: brackets elsewhere, a function before its neighbour, two steps exchanged, one place too early."""

import ast
import itertools
from collections.abc import Iterator, Sequence

from lessons.exercises.recognition.names import Swap
from lessons.exercises.recognition.wording import Text, called, is_module

Changed = Iterator[tuple[str, str]]


def brackets(node: ast.AST, text: Text) -> Changed:
    """a · s + m → (a + m) · s and back; of the mean of two, one alone."""
    if not isinstance(node, ast.BinOp):
        return
    for inner, outer in ((node.left, node.right), (node.right, node.left)):
        if not isinstance(inner, ast.BinOp):
            continue
        a, b, c = (text.in_brackets(each) for each in (inner.left, inner.right, outer))
        said = text.said(outer)
        if isinstance(node.op, ast.Add) and isinstance(inner.op, ast.Mult | ast.Div):
            sign = "*" if isinstance(inner.op, ast.Mult) else "/"
            done = "multiplication with" if sign == "*" else "division by"
            yield f"(({a} + {c}) {sign} {b})", f"{said} is added before the {done} {text.said(inner.right)}, not behind"
        elif isinstance(node.op, ast.Mult) and isinstance(inner.op, ast.Add):
            yield f"({a} + {b} * {c})", f"only {text.said(inner.right)} is multiplied with {said}: brackets are missing"
            yield f"({a} * {c} + {b})", f"only {text.said(inner.left)} is multiplied with {said}: brackets are missing"
        elif isinstance(node.op, ast.Div) and inner is node.left and isinstance(inner.op, ast.Add):
            one, other = text.said(inner.left), text.said(inner.right)
            if text(outer) == "2":
                yield f"({a})", f"only {one} is taken, where the mean of it and of {other} is wanted"
                yield f"({b})", f"only {other} is taken, where the mean of it and of {one} is wanted"


def early(node: ast.AST, text: Text) -> Changed:
    """f(x).mean() → f(x.mean()), f(a - b).mean() → f(a.mean() - b.mean()) being the same."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return
    inner, name = node.func.value, node.func.attr
    if not (isinstance(inner, ast.Call) and len(inner.args) == 1) or is_module(inner):
        return
    arguments = text(node)[len(text(node.func)) :]
    changed = f"({text(inner.func)}(({text(inner.args[0])}).{name}{arguments}))"
    yield changed, f"{name} comes before {called(inner)}, where it comes behind it"


def moved(node: ast.AST, text: Text) -> Changed:
    """x → x one place earlier or later along its last axis, turned around, or x of length 1."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in text.arguments:
        for step, word in ((-1, "early"), (1, "late")):
            yield f"({node.id}.roll({step}, -1))", f"off by one: {node.id} comes one place too {word}"
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        for side, other, front in ((node.left, node.right, True), (node.right, node.left, False)):
            name = text(side)
            unit = f"({name} / {name}.norm(dim=-1, keepdim=True))"
            changed = f"({unit} @ {text(other)})" if front else f"({text(other)} @ {unit})"
            yield changed, f"{text.said(side)} is normalized to the length 1, where its own length counts"


def exchanged_steps(bodies: Sequence[ast.AST]) -> Iterator[tuple[Swap, str]]:
    """Two steps, one after the other, in the other order."""
    for node in itertools.chain.from_iterable(map(ast.walk, bodies)):
        block = getattr(node, "body", None)
        for first, second in itertools.pairwise(block if isinstance(block, list) else []):
            if isinstance(first, STEPS) and isinstance(second, STEPS):
                said = " and ".join(step_words(step) for step in (first, second))
                yield Swap(first, second), f"two steps stand in the wrong order: {said}; the one comes before the other"


STEPS = ast.Assign | ast.AugAssign | ast.Expr


def step_words(step: ast.AST) -> str:
    """The functions that it calls first: it is known by them."""
    calls = [called(node) for node in ast.walk(step) if isinstance(node, ast.Call)]
    return calls[0] if calls else "a step without a call"
