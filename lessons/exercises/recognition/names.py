"""Changes of names: another argument, two of them exchanged, another order of axes or of rows."""

import ast
import itertools
import re
from collections.abc import Iterator

from lessons.exercises.recognition.wording import Text, called, name_of

Changed = Iterator[tuple[str, str]]

FEW = 4
"""More names than these are not exchanged for one another."""

MOST_ORDERS = 6
"""Of three names."""

SIBLINGS = (
    "q_proj k_proj v_proj",
    "lora_A lora_B",
    "source_embedding target_embedding",
    "self_attention_norm feed_forward_norm cross_attention_norm",
    "self_attention cross_attention",
    "ssf_scale ssf_shift",
    "start_A start_B",
    "copies originals",
    "vera_A vera_B",
    "gate down",
    "prefix_key prefix_value",
    "keys values",
)
SIBLING = {name: [other for other in group.split() if other != name] for group in SIBLINGS for name in group.split()}


def exchanged(node: ast.AST, text: Text) -> Changed:
    if isinstance(node, ast.Attribute):
        for other in SIBLING.get(node.attr, ()):
            yield f"{text(node.value)}.{other}", f"{other} stands where {node.attr} is wanted"
        if isinstance(node.ctx, ast.Load) and text(node.value) == "self":
            yield "0", f"0 stands where {node.attr} is wanted: what it holds is forgotten"
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        yield from other_names(node, text)
    elif isinstance(node, ast.Call):
        yield from places(node.args, text, f"in the call of {called(node)}")
        if called(node) in ("rearrange", "repeat"):
            yield from patterns(node, text)
    elif isinstance(node, ast.List | ast.Tuple) and isinstance(node.ctx, ast.Load):
        yield from places(node.elts, text, "in their order")
    elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
        yield from slices(node, node.slice, text)
    elif isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Tuple):
        for axis in range(3):
            yield f"return ({text(node.value)}).flip({axis})", f"the order along axis {axis} is reversed"


def other_names(node: ast.Name, text: Text) -> Changed:
    """An argument's name → another argument; keys → values; a mask → its opposite."""
    for other in SIBLING.get(node.id, ()):
        yield other, f"{other} stands where {node.id} is wanted"
    if node.id in text.variables and len(text.variables) <= FEW:
        for other in text.arguments:
            yield other, f"{other} itself stands where {node.id} is wanted, which is made of it"
    if node.id in text.arguments:
        for other in text.arguments:
            if other != node.id:
                yield other, f"{other} stands where {node.id} is wanted"
        if node.id not in ("x",):
            once = text.counts.get(node.id, 1) == 1
            yield (
                f"({node.id} * 0)",
                f"{node.id} is not used" if once else f"{node.id} is not used at one of its places",
            )
    if re.search("mask|real|is_|ended|open", node.id):
        yield f"(None if {node.id} is None else ~{node.id})", f"{node.id} is read the other way round"
        hides = f"{node.id} is not used: what it hides (padding, the future) counts too"
        yield f"(None if {node.id} is None else {node.id} | True)", hides
        yield "None", hides


def places(elements: list[ast.expr], text: Text, where: str) -> Changed:
    """Two neighbours, or any two of a few, exchanged. What stands around them stays."""
    if not 2 <= len(elements) <= 4 or any(isinstance(each, ast.Starred) for each in elements):
        return
    for first, second in itertools.combinations(elements, 2):
        yield Swap(first, second), f"{text.said(first)} and {text.said(second)} have changed places {where}"


class Swap(str):
    """Two nodes that change places; it stands for the text that comes of it."""

    first: ast.expr | ast.stmt
    second: ast.expr | ast.stmt

    def __new__(cls, first: ast.expr | ast.stmt, second: ast.expr | ast.stmt) -> "Swap":
        swap = super().__new__(cls, "")
        swap.first, swap.second = first, second
        return swap


def patterns(node: ast.Call, text: Text) -> Changed:
    """The pattern of einops: the names within brackets in another order."""
    if len(node.args) < 2 or not isinstance(node.args[1], ast.Constant):
        return
    pattern, whole = str(node.args[1].value), text(node)
    for group in re.findall(r"\(([^)]*)\)", pattern):
        for turned in map(" ".join, itertools.islice(itertools.permutations(group.split()), 1, MOST_ORDERS)):
            said = f"the axes within a bracket stand in another order: ({turned}), where ({group}) is wanted"
            yield whole.replace(pattern, pattern.replace(f"({group})", f"({turned})")), said


def slices(node: ast.Subscript, part: ast.Slice, text: Text) -> Changed:
    value = text(node.value)
    if part.lower is None and isinstance(part.upper, ast.UnaryOp):
        yield f"{value}[1:]", f"the first of {text.said(node.value)} is left out, where the last one is"
    elif part.lower is None and part.upper is not None and part.step is None:
        end = text(part.upper)
        yield f"{value}[-({end}):]", f"the last {end} of {name_of(node.value)} are taken, where the first are wanted"
    yield f"{value}", f"all of {text.said(node.value)} is taken, where a part is wanted"
