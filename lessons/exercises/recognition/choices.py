"""Changes of what is chosen: another statistic, another way of choosing, another loss."""

import ast
from collections.abc import Iterator

from lessons.exercises.recognition.wording import Text, called

Changed = Iterator[tuple[str, str]]


def other_numbers(node: ast.Call, value: str, name: str, arguments: str, text: Text) -> Changed:
    """What stands for one statistic or one way of choosing, and is another one."""
    if name in ("amin", "amax"):
        extreme = f"{value}.abs().amax{arguments}"
        wanted = "smallest" if name == "amin" else "largest"
        sign, called_so = (
            ("-", "minus the largest absolute value") if name == "amin" else ("", "the largest absolute value")
        )
        yield f"({sign}{extreme})", f"{called_so} stands where the {wanted} value ({name}) is wanted"
    if name in ("softmax", "log_softmax"):
        yield (
            f"({value}.softmax(dim=-1).{name}{arguments})",
            "a softmax too many: it is taken of what is a softmax already",
        )
    if name == "scatter" and len(node.args) == 3:
        axis, index, source = (text(argument) for argument in node.args)
        said = "gather stands where scatter is wanted: the numbers do not come back to their own places"
        yield f"({source}.gather({axis}, {index}))", said


def losses(node: ast.AST, text: Text) -> Changed:
    """Other losses of a margin, where -log σ(margin) is wanted."""
    if not isinstance(node, ast.Return) or node.value is None:
        return
    margins = [
        text(call.args[0]) for call in ast.walk(node.value) if isinstance(call, ast.Call) if is_log_sigmoid(call)
    ]
    for margin in margins[:1]:
        yield (
            f"return F.relu(1 - ({margin})).mean()",
            "a hinge max(0, 1 - margin) stands where -log σ(margin) is wanted",
        )
        yield f"return ({margin}).square().mean()", "the square of the margin stands where -log σ(margin) is wanted"
        if "beta" in text.arguments:
            squared = f"return (({margin}) / beta - 1 / (2 * beta)).square().mean()"
            yield squared, "the square of IPO stands where DPO's -log σ(margin) is wanted"


def is_log_sigmoid(call: ast.Call) -> bool:
    return called(call) == "logsigmoid" and len(call.args) == 1
