"""The templates of a lesson, found in its source: what `prose`, `said_and_so`, figures and claims are given to say."""

import ast
from collections.abc import Iterator, Sequence

from lessons.teaching.templates import fields

TEMPLATES = {
    "prose": ("template",),
    "said_and_so": ("said", "so", "shown_by"),
    "show_figure": ("title", "alt"),
    "show_drawing": ("title", "alt"),
    "show_table": ("title", "note"),
}
"""Function → its arguments that are templates. `show_figure` and `show_drawing` take a figure before them."""
OPTIONAL = {"show_table"}
"""Those that may be called without any of them."""

Call = tuple[str, ast.Call]


def calls_in(code: str) -> list[Call]:
    """Name and node of every call, in the order of the source."""
    found = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    return [(ast.unparse(node.func), node) for node in sorted(found, key=lambda node: (node.lineno, node.col_offset))]


def templates_of(name: str, node: ast.Call) -> list[ast.expr]:
    """The expressions of a call that are templates."""
    names = TEMPLATES[name]
    positional = node.args[1:] if name.startswith("show_") else node.args
    return [*positional, *(keyword.value for keyword in node.keywords if keyword.arg in names)]


def texts_of(calls: Sequence[Call]) -> list[str]:
    """The templates that are literal strings, whole."""
    found = [part for name, node in calls if name in TEMPLATES for part in templates_of(name, node)]
    return [part.value for part in found if isinstance(part, ast.Constant) and isinstance(part.value, str)]


def template_complaints(calls: Sequence[Call]) -> Iterator[str]:
    """A template is one literal string; each of its names has a value, and each value is named."""
    for name, node in calls:
        if name not in TEMPLATES:
            continue
        parts = templates_of(name, node)
        texts = [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]
        where = f"line {node.lineno}: {name}"
        if len(texts) < len(parts) or (len(parts) < len(TEMPLATES[name]) and name not in OPTIONAL):
            yield f"{where}(...) needs {', '.join(TEMPLATES[name])} as plain strings with {{names}}, no f-strings"
            continue
        given = {keyword.arg for keyword in node.keywords if keyword.arg} - set(TEMPLATES[name]) - {"figure"}
        has_values = any(keyword.arg not in TEMPLATES[name] for keyword in node.keywords)
        starred = any(keyword.arg is None for keyword in node.keywords)
        named = set().union(*(fields(text) for text in texts)) if has_values else set()
        if lacking := sorted(named - given) if not starred else []:
            yield f"{where}(...) has no value for {', '.join(lacking)}"
        if unused := sorted(given - named):
            yield f"{where}(...) names no {{{'}, {'.join(unused)}}}"
        if not has_values and (braced := [text for text in texts if "{" in text]):
            yield f"{where}(...) has braces and no values: {braced[0][:50]!r}"
