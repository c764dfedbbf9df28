"""Changes of arithmetic: a sign, a term, a factor, a number."""

import ast
from collections.abc import Iterator

from lessons.exercises.recognition.wording import Text, called

Changed = Iterator[tuple[str, str]]


def signs_and_terms(node: ast.AST, text: Text) -> Changed:
    """Of + - * / and of the signs in front of an expression."""
    if isinstance(node, ast.BinOp):
        left, right = text(node.left), text(node.right)
        if isinstance(node.op, ast.Add) and isinstance(node.left, ast.Call) and called(node.left) == "std":
            under = left.replace(".std(", ".var(")
            yield (
                f"(({under} + {right}) ** 0.5)",
                f"{right} is added under the root, where it is added to the deviation",
            )
        a, b = text.said(node.left), text.said(node.right)
        yield from BINARY.get(type(node.op), nothing)(left, right, a, b)
        if isinstance(node.op, ast.Mult) and isinstance(node.left, ast.Call) and len(node.left.args) == 1:
            function, inside = text(node.left.func), text(node.left.args[0])
            name = function.rpartition(".")[2]
            yield f"({function}({inside} * {right}))", f"{name} falls on the product, where it falls on one factor"
            yield f"({left} * {function}({right}))", f"{name} falls on both factors, where it falls on one"
        if isinstance(node.op, ast.Div):
            for argument in text.arguments[:3]:
                said = f"it is divided by the number of rows of {argument} (the batch), where {b} is wanted"
                yield f"(({left}) / len({argument}))", said
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        yield f"({text(node.operand)})", f"the minus sign before {text.said(node.operand)} is missing"
        said = f"the absolute value of {text.said(node.operand)} stands where its negative is wanted"
        yield f"(({text(node.operand)}).abs())", said
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert | ast.Not):
        yield f"({text(node.operand)})", f"{text.said(node.operand)} is read the other way round"
    elif isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Tuple):
        value = text(node.value)
        yield f"return -({value})", "every value has the opposite sign"
        for argument in text.arguments[:4]:
            yield f"return {argument} + ({value})", f"{argument} is added to the result: no residual is wanted here"
    elif isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Mult):
        yield f"{text(node.target)} += {text(node.value)}", f"{text.said(node.value)} is added, where it is a factor"


def nothing(*_: str) -> Changed:
    return iter(())


def sums(left: str, right: str, a: str, b: str) -> Changed:
    yield f"({left})", f"{b} is not added"
    yield f"({right})", f"{a} is missing: {b} stands alone"
    yield f"({left} - ({right}))", f"{b} is subtracted, where it is added (a sign)"
    yield f"(({right}) - ({left}))", f"{a} is subtracted, where it is added (a sign)"
    yield f"({left} + {left} + {right})", f"{a} is added twice"
    yield f"({left} + 2 * ({right}))", f"{b} is added twice"
    yield f"(({left}) * ({right}))", f"{a} and {b} are multiplied, where they are added"


def differences(left: str, right: str, a: str, b: str) -> Changed:
    yield f"({left})", f"{b} is not subtracted"
    yield f"(({right}) - ({left}))", f"{a} and {b} have changed places in a difference: it has the opposite sign"
    yield f"({left} + {right})", f"{b} is added, where it is subtracted (a sign)"
    yield f"({right})", f"{a} is missing: {b} stands alone"
    yield (
        f"({left} - ({right}) - 1)",
        f"1 more is subtracted in the difference of {a} and {b}",
    )
    yield (
        f"(({left} - ({right})).abs())",
        f"the difference of {a} and {b} is taken without its sign (its absolute value)",
    )


def products(left: str, right: str, a: str, b: str) -> Changed:
    for one, other, name in ((left, right, a), (right, left, b)):
        yield f"({other})", f"the factor {name} is missing"
        yield f"(({one}) * ({one}) * ({other}))", f"the factor {name} is there twice: {name} squared"
        yield f"(({other}) / ({one}))", f"it is divided by {name}, where it is multiplied with it"
        yield f"((1 + {one}) * ({other}))", f"1 + {name} stands where {name} is wanted"
        yield f"(-({one}) * ({other}))", f"{name} has the opposite sign"
        yield f"(({one}) ** 0.5 * ({other}))", f"the root of {name} stands where {name} is wanted"
    yield f"({left} + {right})", f"{a} and {b} are added, where they are multiplied"


def quotients(left: str, right: str, a: str, b: str) -> Changed:
    yield f"({left})", f"it is not divided by {b}"
    yield f"(({left}) * ({right}))", f"it is multiplied with {b}, where it is divided by it"
    yield f"(({right}) / ({left}))", f"{a} / {b} is upside down"
    yield f"(({left}) / ({right}) ** 2)", f"it is divided by the square of {b}"
    yield f"(({left}) / ({right}) ** 0.5)", f"it is divided by the root of {b}"
    yield f"(({left}) - ({right}))", f"{b} is subtracted, where it divides"
    yield f"(({left}) / ({right} - 1))", f"it is divided by one less than {b}, and comes out too large"
    yield f"((({left}) / ({right})) ** 0.5)", f"the root of {a} / {b} stands where {a} / {b} is wanted"


def powers(left: str, right: str, a: str, b: str) -> Changed:
    yield f"({left} ** -({right}))", f"the exponent of {a} has the opposite sign"
    yield f"({left} ** (2 * ({right})))", f"the exponent of {a} is doubled"
    yield f"({left} ** (({right}) / 2))", f"the exponent of {a} is halved"
    yield f"({left})", f"{a} has no exponent"


def matrix_products(left: str, right: str, a: str, b: str) -> Changed:
    yield f"(({right}) @ ({left}))", f"{a} and {b} have changed places in a product of matrices"


def bits(left: str, right: str, a: str, b: str) -> Changed:
    yield f"({left})", f"{b} is not looked at"
    yield f"({right})", f"{a} is not looked at"
    yield f"({left} & {right})", f"{a} and {b} are joined by &, where | is wanted"
    yield f"({left} | {right})", f"{a} and {b} are joined by |, where & is wanted"


BINARY = {
    ast.Add: sums,
    ast.Sub: differences,
    ast.Mult: products,
    ast.Div: quotients,
    ast.Pow: powers,
    ast.MatMult: matrix_products,
    ast.BitOr: bits,
    ast.BitAnd: bits,
}


def constants(node: ast.AST, text: Text) -> Changed:
    """Numbers, and True and False, and the words that name a kind."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and is_number(node.operand):
        for factor in (2, 0.5, 0):
            yield f"({factor} * {text(node)})", f"the constant {text(node)} is another number: {factor} times as large"
    if isinstance(node, ast.Constant) and node.value in KINDS_OF_ESTIMATE:
        for kind in KINDS_OF_ESTIMATE:
            if kind != node.value:
                yield f'"{kind}"', f"{kind} stands where {node.value} is wanted"
    if not isinstance(node, ast.Constant) or isinstance(node.value, str | bytes | None):
        return
    value, shown = node.value, text(node)
    if isinstance(value, bool):
        yield str(not value), f"{not value} stands where {value} is wanted"
    elif isinstance(value, int):
        for near in (value + 1, value - 1):
            yield f"({near})", f"{near} stands where {shown} is wanted: off by one"
    elif isinstance(value, float):
        for factor in (2, 0.5, 0, 1e-4, 1000, 1e6):
            yield f"({value * factor!r})", f"the constant {shown} is another number"
        for power in range(1, 13 if value < SMALL else 1):
            yield f"1e-{power}", f"the small constant ε is 1e-{power}, where {shown} is wanted"


SMALL = 1e-3
"""Constants below it are there for what is nearly 0."""

KINDS_OF_ESTIMATE = ("k1", "k2", "k3")


def is_number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float)
