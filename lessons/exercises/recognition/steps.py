"""Changes of what is done at all: a case that is not told apart, a step left out, two steps in the other order."""

import ast
from collections.abc import Iterator

from lessons.exercises.recognition.wording import Text, called

Changed = Iterator[tuple[str, str]]

OPERATORS = {
    ast.Lt: ("<", ("<=", ">")),
    ast.LtE: ("<=", ("<", ">")),
    ast.Gt: (">", (">=", "<")),
    ast.GtE: (">=", (">", "<")),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==", "<", ">")),
}


def cases(node: ast.AST, text: Text) -> Changed:
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in OPERATORS:
        now, others = OPERATORS[type(node.ops[0])]
        left, right = text(node.left), text(node.comparators[0])
        for other in others:
            yield (
                f"({left} {other} {right})",
                f"{other} stands where {now} is wanted, in the comparison with {text.said(node.comparators[0])}",
            )
        number = node.comparators[0]
        if isinstance(node.ops[0], ast.Eq) and isinstance(number, ast.Constant) and isinstance(number.value, int):
            more = f"({left} <= {number.value + 1})"
            yield (
                more,
                f"off by one: <= {number.value + 1} stands where == {number.value} is wanted, one too many is let through",
            )
    elif isinstance(node, ast.ListComp | ast.GeneratorExp | ast.SetComp | ast.DictComp):
        for asked in (each for part in node.generators for each in part.ifs):
            changed = text(node).replace(f"if {text(asked)}", f"if not ({text(asked)})", 1)
            yield changed, f"the condition {text.said(asked)} is read the other way round"
    elif isinstance(node, ast.IfExp):
        condition = text.said(node.test)
        yield f"({text(node.body)})", f"the case is not told apart: {condition} is taken as true always"
        yield f"({text(node.orelse)})", f"the case is not told apart: {condition} is never looked at"
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield f"({text(value)})", f"only {text.said(value)} is looked at"
    elif isinstance(node, ast.Call) and text(node.func) == "torch.where" and len(node.args) == 3:
        condition, one, other = (text(argument) for argument in node.args)
        yield f"({one})", f"{text.said(node.args[0])} is not looked at"
        yield f"torch.where({condition}, {other}, {one})", f"{text.said(node.args[0])} is read the other way round"
    elif isinstance(node, ast.Call) and text(node.func) in ("torch.maximum", "torch.minimum", "min", "max"):
        for argument in node.args:
            if len(node.args) == 2:
                yield f"({text(argument)})", f"only {text.said(argument)} is taken, without a comparison"
        if len(node.args) == 2:
            one, other = (text(argument) for argument in node.args)
            yield f"({one} + {other})", f"the sum of the two is taken, where {called(node)} takes one of them"
    elif isinstance(node, ast.If):
        yield (
            f"if not ({text(node.test)})" + text(node)[len("if ") + len(text(node.test)) :],
            (f"the case {text.said(node.test)} is read the other way round"),
        )
    elif isinstance(node, ast.Assign):
        if isinstance(node.targets[0], ast.Name) and len(node.targets) == 1:
            name = node.targets[0].id
            for factor, word in (("2", "twice"), ("0.5", "half"), ("6.283185307179586", "2π times")):
                yield f"{name} = {factor} * ({text(node.value)})", f"{name} is {word} what it should be"
        yield "pass", f"a step is left out: {text.said(node.targets[0])} stays as it was"
