"""Changes of calls: a function left out, another of its family, twice, before its neighbour, or over another axis."""

import ast
from collections.abc import Iterator

from lessons.exercises.recognition.choices import other_numbers
from lessons.exercises.recognition.wording import Text, called, is_module

Changed = Iterator[tuple[str, str]]

FAMILIES = (
    "tanh sigmoid relu exp expm1 abs square sqrt rsqrt log sin cos",
    "F.silu F.gelu F.relu F.sigmoid F.tanh",
    "softmax log_softmax",
    "F.logsigmoid F.sigmoid torch.square torch.abs",
    "scatter_add scatter",
    "mean sum amax amin",
    "std var",
    "argmin argmax",
    "torch.maximum torch.minimum",
    "min max",
    "ceil floor round",
    "math.sin math.cos",
    "any all",
    "tril triu",
)
FAMILY = {name: [other for other in family.split() if other != name] for family in FAMILIES for name in family.split()}
PLUMBING = "rearrange repeat zip float to range enumerate tuple list dict Placement isinstance len max min".split()


def functions(node: ast.AST, text: Text) -> Changed:
    """f(x) → x, g(x), f(f(x)); f(g(x)) → g(f(x))."""
    if not isinstance(node, ast.Call):
        return
    name, whole = called(node), text(node.func)
    if isinstance(node.func, ast.Attribute) and not is_module(node.func.value) and text(node.func.value) != "self":
        yield from methods(node, node.func, text)
    for other in FAMILY.get(whole, ()):
        yield text(node).replace(whole, other, 1), f"{other.rpartition('.')[2]} stands where {name} is wanted"
    if whole.startswith("self."):
        if node.args and not isinstance(node.args[0], ast.Starred):
            first = text(node.args[0])
            yield (
                f"({first} + {text(node)})",
                f"{first} is added to what {name} gives: a residual too many, it is there twice",
            )
        if len(node.args) == 1:
            yield f"({text(node.args[0])} @ {whole}.weight.T)", f"the bias of {name} is missing"
        for other in ("tanh", "relu", "sigmoid"):
            yield f"({text(node)}.{other}())", f"{other} is applied to what {name} gives, where nothing is wanted"
            if len(node.args) == 1:
                changed = f"({whole}({text(node.args[0])}.{other}()))"
                yield changed, f"{other} is applied to what goes into {name}, where nothing stands between"
    yield from arguments_of(node, text)
    if len(node.args) != 1 or name in PLUMBING or isinstance(node.args[0], ast.Starred):
        return
    argument = text(node.args[0])
    yield f"({argument})", f"{name} is missing"
    yield f"({whole}({whole}({argument})))", f"{name} is applied twice"
    inner = node.args[0]
    if isinstance(inner, ast.Call) and len(inner.args) == 1 and called(inner) not in PLUMBING:
        changed = f"({text(inner.func)}({whole}({text(inner.args[0])})))"
        yield changed, f"{name} comes before {called(inner)}, where it comes behind it"
        if isinstance(inner.args[0], ast.Call) and len(inner.args[0].args) == 1:
            deepest = inner.args[0]
            order = f"({text(inner.func)}({text(deepest.func)}({whole}({text(deepest.args[0])}))))"
            yield order, f"{name} comes before {called(deepest)}, where it comes behind it"


def arguments_of(node: ast.Call, text: Text) -> Changed:
    """A sign before one of them; a function handed on, with a residual of its own; the first in place of the chosen."""
    whole = text(node)
    if isinstance(node.func, ast.Subscript) and len(node.args) == 1:
        for other in ("tanh", "sigmoid", "relu"):
            yield (
                f"({text(node.args[0])}.{other}())",
                f"{other} is applied always, where the activation is the one that is asked for",
            )
    for argument in node.args:
        given = text(argument)
        if isinstance(argument, ast.Call):
            yield (
                text.replaced(node, argument, f"-({given})"),
                f"{text.said(argument)} has the opposite sign: it is subtracted",
            )
        elif isinstance(argument, ast.Attribute) and text(argument.value) == "self":
            said = f"its input is added to what {argument.attr} gives: a residual too many, it is there twice"
            yield text.replaced(node, argument, f"lambda *a: a[0] + {given}(*a)"), said
        if isinstance(argument, ast.Call) and called(argument) == "square" and isinstance(argument.func, ast.Attribute):
            squared = argument.func.value
            if isinstance(squared, ast.BinOp) and isinstance(squared.op, ast.Sub):
                said = "the variance is that of all values (padding among them), and counts n - 1"
                yield f"({text.in_brackets(squared.left)}.var())", said
        elif isinstance(argument, ast.Name) and argument.id == "bias":
            yield f"({whole} + (0 if bias is None else bias))", "the bias is added twice"
    if len(node.args) == 2 and all(isinstance(argument, ast.Name) for argument in node.args):
        one, other = (text(argument) for argument in node.args)
        yield f"({one}[:, : {other}.shape[1]])", f"the first of {one} are taken, where {other} says which"


def methods(node: ast.Call, function: ast.Attribute, text: Text) -> Changed:
    """x.f(...) → x, x.g(...)"""
    value, name = text.in_brackets(function.value), function.attr
    arguments = text(node)[len(text(function)) :]
    if name not in ("items", "named_parameters", "parameters", "modules"):
        yield f"({value})", f"{name} is missing"
    for other in FAMILY.get(name, ()):
        yield f"({value}.{other}{arguments})", f"{other} stands where {name} is wanted"
    if name in ("tanh", "sigmoid", "relu"):
        yield f"({value}.softmax(-1))", f"softmax stands where {name} is wanted"
        yield f"(1 + {text(node)})", f"1 + {name} stands where {name} is wanted"
    yield from other_numbers(node, value, name, arguments, text)
    if name == "masked_fill" and len(node.args) == 2:
        mask, filling = (text(argument) for argument in node.args)
        yield (
            f"({value} + ~({mask}))",
            f"the mask is added to {text.said(function.value)}, where it decides what is left out",
        )
        yield f"({value}.masked_fill(~({mask}), {filling}))", "the mask is read the other way round"
        for number in ("0.0", "1.0", "float('-inf')"):
            yield (
                f"({value}.masked_fill({mask}, {number}))",
                f"what is masked becomes {number}, where {filling} is wanted",
            )
    if name in ("clamp", "clamp_min") and len(node.args) == 2:
        low, high = (text(argument) for argument in node.args)
        yield f"({value}.clamp(max={high}))", f"{value} is not held from below: there is no lower bound of the clip"
        yield f"({value}.clamp(min={low}))", f"{value} is not held from above: there is no upper bound of the clip"


def axes(node: ast.AST, text: Text) -> Changed:
    """dim=-1 → dim=-2, dim=0, none at all; and counting n - 1 where a deviation counts n."""
    if not isinstance(node, ast.Call):
        return
    name, whole = called(node), text(node)
    for keyword in node.keywords:
        if keyword.arg == "dim" and isinstance(keyword.value, ast.Constant | ast.UnaryOp):
            now = text(keyword.value)
            for other in ("-1", "-2", "0", "1"):
                if other != now:
                    changed = whole.replace(f"dim={now}", f"dim={other}")
                    yield changed, f"{name} runs over the axis {other}, where it runs over the axis {now}"
            everything = whole.replace(f"dim={now}, keepdim=True", "").replace(f"dim={now}", "")
            yield everything, f"{name} is taken over everything at once, not over one axis (the axis {now})"
    if name in ("std", "var"):
        yield f"{whole[:-1]}, correction=0)", f"the {name} is the biased one: it counts n, where n - 1 is wanted"
