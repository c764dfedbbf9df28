"""A source file with its text beside its lines: left the docstrings and comments, right the code that they speak of.

Made from the file itself, with `ast`: a part for the head of the module, for each class and for each function. Under a
function's name stand its lesson, its exercise and its test.
"""

import ast
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pygments import highlight  # type: ignore[import-untyped]
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
from pygments.lexers import PythonLexer  # type: ignore[import-untyped]

from lessons.site.ways import ways
from lessons.teaching.said import Say, in_english
from lessons.translate.fixed import SITE

Definition = ast.FunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Part:
    """Lines of a file with the text beside them. `name` is empty for the head of the module."""

    name: str
    text: str
    code: str
    first: int


def parts(source: str) -> list[Part]:
    """The file cut at its definitions; methods stand apart from the head of their class."""
    lines, tree = source.splitlines(), ast.parse(source)
    found = [(1, "", tree), *definitions(tree)]
    ends = [start for start, _, _ in found[1:]] + [len(lines) + 1]
    return [part(name, node, lines, start, end) for (start, name, node), end in zip(found, ends, strict=True)]


def definitions(tree: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple[int, str, Definition]]:
    """(first line, name, node), with the decorators' lines."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield min([node.lineno, *(each.lineno for each in node.decorator_list)]), prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from definitions(node, f"{node.name}.")


def part(name: str, node: ast.Module | Definition, lines: list[str], start: int, end: int) -> Part:
    text, taken = docstring(node), set()
    if text:
        taken = set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    comments, code = [], []
    for number in range(start, end):
        line = lines[number - 1]
        if number in taken:
            continue
        if line.lstrip().startswith("# "):
            comments.append(line.strip()[2:])
        else:
            code.append(line)
    both = "\n\n".join(filter(None, [text, " ".join(comments)]))
    return Part(name, both, "\n".join(code).strip("\n"), start)


def docstring(node: ast.Module | Definition) -> str:
    """As it stands in the file, but for the indentation of its definition: a formula under the first line stays set off."""
    raw = ast.get_docstring(node, clean=False) or ""
    indent = " " * node.body[0].col_offset if node.body else ""
    return "\n".join(line.removeprefix(indent) for line in raw.splitlines()).strip()


def page_of(file: str, root: Path, say: Say = in_english) -> str:
    """The page of one file as MyST."""
    found = parts((root / file).read_text(encoding="utf-8"))
    names = tuple(each.name for each in found if each.name)
    rows = "\n".join(row(each, ways(each.name, file, names, say) if each.name else "", say) for each in found)
    return f'# {file}\n\n```{{raw}} html\n<div class="beside">\n{rows}\n</div>\n```\n'


def row(each: Part, links: str, say: Say) -> str:
    """`links`: where its name leads."""
    imports = say(SITE["imports"])
    code = highlight(each.code, PythonLexer(), HtmlFormatter(cssclass="highlight")) if each.code else ""
    if code and not each.name:
        code = f"<details><summary>{imports}</summary>{code}</details>" if is_imports(each.code) else code
    title = f'<h2 id="{each.name}">{each.name}</h2>' if each.name else ""
    left = title + links + as_html(each.text)
    return f'<div class="said">{left}</div>\n<div class="lines">{code}</div>'


def is_imports(code: str) -> bool:
    return all(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.parse(code).body)


def as_html(text: str) -> str:
    """A docstring: paragraphs, what is indented or aligned as it stands, `code`."""
    blocks = re.split(r"\n\s*\n", text.strip("\n")) if text.strip() else []
    return "".join(block_html(block) for block in blocks)


def block_html(block: str) -> str:
    body = html.escape(block, quote=False)
    is_set = any(line.startswith("  ") or re.search(r"\S {2,}\S", line) for line in block.splitlines())
    if is_set:
        return f"<pre>{body}</pre>"
    with_code = re.sub(r"`([^`]+)`", r"<code>\1</code>", body)
    return f"<p>{with_code}</p>"
