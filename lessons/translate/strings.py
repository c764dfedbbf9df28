"""The strings of a source that speak to a reader, as templates with named places.

    f"the factor {called} is missing"         →  the factor {called} is missing
    f"in another order: {', '.join(names)}"   →  in another order: {names}

A text over several lines is an entry for each. What only names things (axes, code, a list of names to split) is no text.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from lessons.language.message import LEAST_TEXT

TELLING = ("tell", "say")
QUIET_CALLS = "rearrange repeat reduce einsum load_probe import_module normal getattr".split()
QUIET_KEYWORDS = "loc textcoords xycoords prog".split()
QUIET_METHODS = "split compile fullmatch match findall sub startswith endswith removeprefix replace".split()
COMMAND = re.compile(r"python -m lessons(?: (?:--)?[a-z][a-z-]*)+")
"""A command alone."""

CODE = re.compile(
    r"\(.*\)$|return |\[bold\]|# |\{\{|check\(|python (-m lessons )?\{|\{\w+\} = true|if not|if |import |from |def |dim=|--|/dev|raise |[\w. ]* = |# python|.*<(?:div|span)|.*\bimport sys"
)
"""How the pieces of source begin that are made into other source."""

WORDS = re.compile(r"[A-Za-z]{2,}[^\w\s]* [\w(=√‘'\"`{]|[\w}{)]['’s]* [a-z]{2,}")
SMALL = {"is", "are", "the", "a", "of", "not", "where"}
"""Words that no list of names has."""

AXES = 2
"""In assert_matches and difference, the argument with the names of the axes."""


def is_text(line: str) -> bool:
    bare = re.sub(r"\{\w*\}", "", line)
    is_template = bare != line
    if is_template and len(re.findall(r"\w", bare)) < LEAST_TEXT:
        return False
    is_code = CODE.match(line) or COMMAND.fullmatch(line) or is_list_of_names(line)
    return bool(re.search(r"[A-Za-z]{2,}", bare)) and not is_code


def is_list_of_names(line: str) -> bool:
    words = line.split()
    return (
        any("_" in word for word in words)
        and all(re.fullmatch(r"\w+", word) for word in words)
        and not SMALL & {*words}
    )


def spoken_in(path: Path) -> Iterator[tuple[int, str, bool]]:
    """Line and template of every string of a file that speaks, and whether it is said by `tell` or `say`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    quiet = {id(node) for part in ast.walk(tree) for node in quiet_parts(part)}
    yield from walked(tree, quiet)


def walked(node: ast.AST, quiet: set[int], inside: bool = False) -> Iterator[tuple[int, str, bool]]:
    """In the order of the source. Of an f-string: what `tell` or `say` say, and the words that one of two is chosen from."""
    if id(node) in quiet:
        return
    if isinstance(node, ast.Call) and called(node) in TELLING and isinstance(node.args[0], ast.Constant):
        yield node.lineno, str(node.args[0].value), True
        quiet.add(id(node.args[0]))
    if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str)):
        template = template_of(node)
        if WORDS.search(template) or inside:
            yield node.lineno, template, False
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FormattedValue):
            for part in ast.walk(child.value):
                if isinstance(part, ast.Call) and called(part) in TELLING:
                    yield from walked(part, quiet)
                if isinstance(part, ast.IfExp):
                    for branch in (part.body, part.orelse):
                        yield from walked(branch, quiet, inside=True)
        elif not isinstance(node, ast.JoinedStr):
            yield from walked(child, quiet)


def quiet_parts(node: ast.AST) -> Iterator[ast.AST]:
    """Docstrings, arguments that are code, axes, lists of names."""
    if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef):
        yield from (part for part in node.body if isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
    if isinstance(node, ast.Module):
        for part in node.body:
            if isinstance(part, ast.Assign) and isinstance(part.value, ast.Tuple):
                yield part.value
    if isinstance(node, ast.keyword) and node.arg in QUIET_KEYWORDS:
        yield node
    if isinstance(node, ast.Call):
        name = called(node)
        if name in QUIET_CALLS or (name in QUIET_METHODS and isinstance(node.func, ast.Attribute)):
            yield node
        if name in ("assert_matches", "difference"):
            yield from node.args[AXES:]
            yield from (keyword for keyword in node.keywords if keyword.arg == "axes")
    if isinstance(node, ast.Yield) and isinstance(node.value, ast.Tuple):
        yield node.value.elts[0]
    if isinstance(node, ast.Subscript):
        yield node.slice


def called(node: ast.Call) -> str:
    return str(getattr(node.func, "attr", getattr(node.func, "id", "")))


def template_of(node: ast.AST) -> str:
    """The text, with a name for what is put into it; places without a word between them are one."""
    if isinstance(node, ast.Constant):
        return braces_doubled(str(node.value))
    names: dict[str, str] = {}
    parts: list[str] = []
    for value in node.values if isinstance(node, ast.JoinedStr) else ():
        if isinstance(value, ast.Constant):
            parts.append(braces_doubled(str(value.value)))
        elif isinstance(value, ast.FormattedValue) and not (parts and re.search(r"(?<!\{)\{\w+\}$", parts[-1])):
            parts.append(f"{{{name_of(value.value, names)}}}")
    return "".join(parts)


def braces_doubled(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def name_of(expression: ast.expr, names: dict[str, str]) -> str:
    """A name for the value: its own, or the last one in it. Another value never has the same."""
    text = ast.unparse(expression)
    if text not in names:
        found = [part for part in ast.walk(expression) if isinstance(part, ast.Name | ast.Attribute)]
        known = [part.id if isinstance(part, ast.Name) else part.attr for part in found]
        spoken = [name for name in known if name not in ("str", "int", "float", "map", "tuple", "type", "len", "join")]
        first = (spoken or ["value"])[0].lower().strip("_")
        same = [name for name in names.values() if re.fullmatch(rf"{first}\d*", name)]
        names[text] = first + (str(len(same) + 1) if same else "")
    return names[text]
