"""Ready-made answers: a file that calls what does the exercise's work has not solved the exercise.

The catalogue names them by the last parts of their dotted names (`Exercise.forbidden`): "layer_norm" stands for torch's
function wherever it comes from, "nn.LayerNorm" for the class. What a file names is read from its syntax tree, through
its imports and what they call things. Lines that are the live source's own are not looked at.
"""

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from lessons.exercises.exercise import Exercise
from lessons.exercises.source import lines_of, parse

OWN = ("self", "cls")
IMPORTING = ("import_module", "__import__")


class ReadyMadeError(Exception):
    """A file that uses what the exercise forbids, with the line in which it does."""

    def __init__(self, message: str, where: str):
        super().__init__(message)
        self.where = where


@dataclass(frozen=True)
class Mention:
    """A dotted name as it is known outside of the file, and the line in which it stands."""

    name: str
    line: int


def refuse_ready_made(exercise: Exercise, source: str, live: str) -> None:
    """Raises ReadyMadeError for the first mention of something that the exercise forbids."""
    for mention in mentions(source, live, exercise.targets) if exercise.forbidden else ():
        if any(ends_with(mention.name, forbidden) for forbidden in exercise.forbidden):
            line = lines_of(source)[mention.line - 1].strip()
            name = mention.name.strip(".")
            message = f"ready-made: {name} does what this exercise asks for; write {exercise.targets[0]} without it"
            raise ReadyMadeError(message, f"line {mention.line}: {line}")


def ends_with(name: str, last: str) -> bool:
    return f".{name}".endswith(f".{last}")


def mentions(source: str, live: str, targets: Collection[str]) -> Iterator[Mention]:
    """Everything that the file's own statements name: attributes, imports, and the neighbours in the module."""
    known = set(pieces(live, targets))
    tree = parse(source)
    names = imported(tree)
    asked = {target.partition(".")[0] for target in targets}
    siblings = {name for node in parse(live).body for name in defined(node)} - asked
    for text, piece in pieces(source, ()).items():
        for node in ast.walk(piece) if text not in known else ():
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield from (Mention(name, node.lineno) for name in imported(node).values())
            elif isinstance(node, ast.Name) and (node.id in siblings or {node.id, "*"} & {*names}):
                yield Mention(names.get(node.id, node.id), node.lineno)
            elif isinstance(node, ast.expr) and (name := dotted(node, names)):
                yield Mention(name, node.lineno)


def pieces(source: str, targets: Collection[str]) -> dict[str, ast.AST]:
    """Statement by statement, a class member by member: the text and the tree. Without the targets and their lines."""
    lines = lines_of(source)
    found: dict[str, ast.AST] = {}
    for prefix, node in members(parse(source)):
        start = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
        if isinstance(node, ast.ClassDef) and not prefix:
            found["".join(lines[start - 1 : node.body[0].lineno - 1])] = head_of(node)
        elif f"{prefix}{getattr(node, 'name', '')}" not in targets:
            found[prefix + "".join(lines[start - 1 : node.end_lineno])] = node
    return found


def members(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """The statements of a module and of its classes, these with "Class." before them."""
    for node in tree.body:
        yield "", node
        if isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.", member) for member in node.body)


def defined(node: ast.stmt) -> list[str]:
    """The names that a statement of a module gives to what is there."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    return [each.id for each in getattr(node, "targets", []) if isinstance(each, ast.Name)]


def head_of(node: ast.ClassDef) -> ast.AST:
    """A class without its members."""
    return ast.Tuple([*node.bases, *(keyword.value for keyword in node.keywords), *node.decorator_list], ast.Load())


def imported(tree: ast.AST) -> dict[str, str]:
    """What a name of the file is outside: {"F": "torch.nn.functional"}."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {each.asname or each.name.partition(".")[0]: whole(each) for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {each.asname or each.name: f"{node.module or ''}.{each.name}" for each in node.names}
    return found


def whole(name: ast.alias) -> str:
    return name.name if name.asname else name.name.partition(".")[0]


def dotted(node: ast.expr, names: dict[str, str]) -> str:
    """The dotted name of an attribute, also of one that is asked for by its text; "" for anything else, and for one's own."""
    parts: list[str] = []
    while step := one_step(node):
        node, part = step
        parts.append(part)
    if isinstance(node, ast.Call) and ends_in(node.func, IMPORTING) and node.args and (text := text_of(node.args[0])):
        parts.append(text)
    elif isinstance(node, ast.Name):
        if node.id in OWN:
            return ""
        parts.append(names.get(node.id, node.id))
    return ".".join(reversed(parts)) if len(parts) > 1 or not isinstance(node, ast.Name) else ""


def one_step(node: ast.expr) -> tuple[ast.expr, str] | None:
    """What an attribute is taken from, and its name: x.name, getattr(x, "name"), x["name"]."""
    if isinstance(node, ast.Attribute):
        return node.value, node.attr
    if isinstance(node, ast.Subscript) and (text := text_of(node.slice)):
        return node.value, text
    if isinstance(node, ast.Call) and ends_in(node.func, ("getattr",)) and len(node.args) > 1:
        text = text_of(node.args[1])
        return (node.args[0], text) if text else None
    return None


def ends_in(node: ast.expr, names: Collection[str]) -> bool:
    return getattr(node, "attr", getattr(node, "id", "")) in names


def text_of(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
