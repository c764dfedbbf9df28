"""Reading and cutting source: where a function stands, its stub, whether a student has touched it.

Everything goes by lines of the live file, so that its comments and its look survive.
"""

import ast
import io
import textwrap
from collections.abc import Sequence
from pathlib import Path

Definition = ast.FunctionDef | ast.ClassDef
LONGEST_FILE = 200_000
LIBRARY = Path(__file__).resolve().parents[2]
"""The folder that holds our packages: the root of a checkout, or site-packages."""


class UnreadableSourceError(ValueError):
    """A student's file that cannot be run at all, with the reason in words."""


def parse(source: str) -> ast.Module:
    """The syntax tree. Raises UnreadableSourceError with the line at which Python stopped to understand."""
    if len(source) > LONGEST_FILE:
        raise UnreadableSourceError(f"the file has {len(source)} characters; {LONGEST_FILE} are the most that is read")
    try:
        return ast.parse(source)
    except SyntaxError as error:
        line = (error.text or "").strip()
        raise UnreadableSourceError(
            f"syntax: Python does not understand line {error.lineno}: {line}\n    {error.msg}"
        ) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise UnreadableSourceError(f"syntax: Python cannot read the file: {type(error).__name__}: {error}") from error


def find(tree: ast.Module, name: str) -> Definition:
    """The definition with this dotted name; the last one, if there are several. Raises UnreadableSourceError without one."""
    body: Sequence[ast.stmt] = tree.body
    found: Definition | None = None
    for part in name.split("."):
        kinds = (ast.FunctionDef, ast.ClassDef)
        found = next((node for node in reversed(body) if isinstance(node, kinds) and node.name == part), None)
        if found is None:
            raise UnreadableSourceError(f"missing: the file does not define {name}; its name must stay as it was")
        body = found.body
    return found  # type: ignore[return-value]


def functions(node: Definition, name: str) -> list[tuple[str, ast.FunctionDef]]:
    """The function itself, or all methods of a class."""
    if isinstance(node, ast.FunctionDef):
        return [(name, node)]
    return [(f"{name}.{child.name}", child) for child in node.body if isinstance(child, ast.FunctionDef)]


def statements(function: ast.FunctionDef) -> list[ast.stmt]:
    """The body without its docstring."""
    first = function.body[0]
    has_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    is_text = has_docstring and isinstance(first.value.value, str)  # type: ignore[attr-defined]
    return function.body[1:] if is_text else function.body


def without_bodies(source: str, targets: Sequence[str], comment: str = "Your code here.") -> str:
    """The source with every target's body cut out. Signatures and docstrings stay: they are the specification."""
    tree, lines = parse(source), lines_of(source)
    cuts = [pair for target in targets for pair in functions(find(tree, target), target)]
    for name, function in sorted(cuts, key=lambda pair: pair[1].lineno, reverse=True):
        if body := statements(function):
            start, end = span(lines, body)
            indent = " " * body[0].col_offset
            placeholder = f'raise NotImplementedError("{name} is not written yet")'
            lines[start:end] = [f"{indent}# {comment}\n", f"{indent}{placeholder}\n"]
    return "".join(lines)


def lines_of(source: str) -> list[str]:
    """As Python counts lines: a form feed or a separator of Unicode ends none."""
    return io.StringIO(source).readlines()


def span(lines: Sequence[str], body: Sequence[ast.stmt]) -> tuple[int, int]:
    """The slice of a file's lines that holds a body, with the comments right above: they may tell the answer."""
    start = body[0].lineno - 1
    while start > 0 and lines[start - 1].lstrip().startswith("#"):
        start -= 1
    return start, body[-1].end_lineno or 0


def attempted(source: str, targets: Sequence[str]) -> bool:
    """False while every target's body is empty: `raise NotImplementedError`, `pass`, `...` or a docstring."""
    tree = parse(source)
    pairs = [pair for target in targets for pair in functions(find(tree, target), target)]
    return not all(is_empty(function) for _, function in pairs)


def is_empty(function: ast.FunctionDef) -> bool:
    return all(is_nothing(node) for node in statements(function))


def is_nothing(node: ast.stmt) -> bool:
    if isinstance(node, ast.Raise) and node.exc is not None:
        raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def definition_text(source: str, name: str) -> str:
    """The lines of one definition, as they stand."""
    node = find(parse(source), name)
    start = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return "".join(lines_of(source)[start - 1 : node.end_lineno])


def replace_definition(source: str, name: str, text: str) -> str:
    """The source with one top-level definition replaced by other text."""
    node = find(parse(source), name)
    start = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    lines = lines_of(source)
    lines[start - 1 : node.end_lineno] = [text.rstrip() + "\n"]
    return "".join(lines)


def replace_function(source: str, name: str, text: str, before: Sequence[str] = ()) -> str:
    """The source with one function or method replaced; its decorators stay. `before` stands in front of its class."""
    node, tree = find(parse(source), name), parse(source)
    lines = lines_of(source)
    indented = textwrap.indent(textwrap.dedent(text).rstrip() + "\n", " " * node.col_offset)
    lines[node.lineno - 1 : node.end_lineno] = lines_of(indented)
    outermost = find(tree, name.partition(".")[0])
    start = min([outermost.lineno, *(decorator.lineno for decorator in outermost.decorator_list)]) - 1
    lines[start:start] = [f"{line}\n" for line in before]
    return "".join(lines)
