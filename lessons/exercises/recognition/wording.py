"""A piece of source in a sentence: its own text where that is short, and never a whole line of the solution."""

import ast
from collections.abc import Mapping

LONGEST = 26
GREEK = {
    "alpha": "α",
    "beta": "β",
    "gamma": "γ",
    "lam": "λ",
    "eps": "ε",
    "vera_lambda_b": "λ_b",
    "vera_lambda_d": "λ_d",
    "scaling": "the scaling α/r",
}


class Text:
    """The text of nodes of one source, for changing it and for speaking of it."""

    arguments: list[str]
    """The arguments of the function that the node stands in."""

    variables: list[str]
    """What is assigned in that function."""

    counts: Mapping[str, int]
    """How often each name stands in it."""

    def __init__(self, source: str):
        self.data = source.encode()
        self.line_starts = [0]
        self.arguments, self.variables, self.counts = [], [], {}
        for line in self.data.splitlines(keepends=True):
            self.line_starts.append(self.line_starts[-1] + len(line))

    def span(self, node: ast.AST) -> tuple[int, int]:
        start = self.line_starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
        return start, self.line_starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]

    def __call__(self, node: ast.AST) -> str:
        start, stop = self.span(node)
        return self.data[start:stop].decode()

    def replaced(self, whole: ast.AST, part: ast.AST, new: str) -> str:
        """The text of `whole` with `new` where its `part` stands."""
        (start, stop), (first, last) = self.span(whole), self.span(part)
        return f"{self.data[start:first].decode()}{new}{self.data[last:stop].decode()}"

    def in_brackets(self, node: ast.AST) -> str:
        """Its text, so that something may stand before it or behind it: an operator's brackets are no part of it."""
        return f"({self(node)})" if isinstance(node, ast.BinOp | ast.UnaryOp | ast.IfExp | ast.Compare) else self(node)

    def said(self, node: ast.AST) -> str:
        """How a sentence calls it."""
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr in PLAIN:
                return self.said(node.func.value)
            if called(node) in NOUNS:
                return NOUNS[called(node)]
            return f"the {called(node)}" if called(node) in REDUCTIONS else f"what {called(node)} gives"
        if isinstance(node, ast.Subscript):
            return self.said(node.value)
        if isinstance(node, ast.Attribute | ast.Name):
            name = name_of(node)
            return GREEK.get(name, name)
        text = " ".join(self(node).split())
        return text.replace("self.", "") if len(text) <= LONGEST else f"the part with {', '.join(names_in(node)[:3])}"


REDUCTIONS = {"mean", "sum", "std", "var", "amax", "amin", "max", "min", "norm", "softmax", "log_softmax"}
NOUNS = {"clamp": "the clip", "clamp_min": "the lower bound", "only_real": "the cut of the padding"}
PLAIN = {"unsqueeze", "squeeze", "flatten", "float", "long", "detach", "to", "T"}


def is_module(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id in ("torch", "F", "math", "nn")


def called(node: ast.Call) -> str:
    return name_of(node.func)


def name_of(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else "a function"


def names_in(node: ast.AST) -> list[str]:
    """The names and attributes that it speaks of."""
    found = [name_of(inner) for inner in ast.walk(node) if isinstance(inner, ast.Attribute | ast.Name)]
    kept = [GREEK.get(name, name) for name in found if name not in ("self", "torch", "F", "math", "nn")]
    return list(dict.fromkeys(kept)) or ["numbers"]
