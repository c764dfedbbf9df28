"""Several files of a student's become one: what is theirs in each, on the live module."""

import ast
from collections.abc import Iterable, Iterator, Mapping

from lessons.exercises.exercise import Exercise
from lessons.exercises.source import UnreadableSourceError, attempted, parse
from lessons.exercises.stub import live_source, neighbours, whole


def together(files: Mapping[str, tuple[Exercise, str]]) -> tuple[dict[str, str], dict[str, str]]:
    """Module → text with all of the student's in it; and exercise → why its file is not in it, for those that are not.

    `files`   exercise's name → the exercise, and the student's file
    """
    left_out: dict[str, str] = {}
    by_module: dict[str, list[tuple[Exercise, str]]] = {}
    for name, (exercise, source) in files.items():
        try:
            written = attempted(source, exercise.targets)
        except UnreadableSourceError as problem:
            left_out[name] = str(problem).partition("\n")[0]
            continue
        if written:
            by_module.setdefault(exercise.module, []).append((exercise, source))
        else:
            left_out[name] = "nothing is written in its file any more"
    texts: dict[str, str] = {}
    for module, found in by_module.items():
        texts[module] = whole(*found[0]).text if len(found) == 1 else joined(found, left_out)
    return texts, left_out


def joined(found: Iterable[tuple[Exercise, str]], left_out: dict[str, str]) -> str:
    """The live module with what is each file's own. A name that two files define otherwise cannot stand for both."""
    tree: ast.Module | None = None
    taken: dict[str, str] = {}
    for exercise, source in found:
        tree = tree or parse(live_source(exercise))
        own = dict(own_pieces(exercise, source))
        clash = [name for name, node in own.items() if taken.get(name, ast.dump(node)) != ast.dump(node)]
        if clash:
            left_out[exercise.name] = f"another file of yours has another {clash[0]} in the same module"
            continue
        taken |= {name: ast.dump(node) for name, node in own.items()}
        for name, node in own.items():
            put(tree, name, node)
    return ast.unparse(ast.fix_missing_locations(tree)) if tree else ""


def own_pieces(exercise: Exercise, source: str) -> Iterator[tuple[str, ast.stmt]]:
    """What a file has and the live module has not, by its dotted name; what other exercises ask for is left out."""
    live = dict(pieces(parse(live_source(exercise))))
    others = {target for other in neighbours(exercise) for target in other.targets}
    for name, node in pieces(parse(source)):
        if name in live and ast.dump(live[name]) == ast.dump(node):
            continue
        if name not in others:
            yield name, node


def pieces(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """Functions, the members of classes ("LayerNorm.forward"), and each other statement by its text."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.{name_of(member)}", member) for member in node.body)
        else:
            yield name_of(node), node


def name_of(node: ast.stmt) -> str:
    return node.name if isinstance(node, ast.FunctionDef | ast.ClassDef) else ast.unparse(node)


def put(tree: ast.Module, name: str, node: ast.stmt) -> None:
    """Into its class or the module: in the place of what has its name, else in front of all that is defined there."""
    holder, _, rest = name.partition(".")
    classes = {each.name: each for each in tree.body if isinstance(each, ast.ClassDef)}
    inside = rest and holder.isidentifier()
    if inside and holder not in classes:
        classes[holder] = ast.ClassDef(holder, [], [], [], [])
        tree.body.append(classes[holder])
    body = classes[holder].body if inside else tree.body
    for place, old in enumerate(body):
        if name_of(old) == name_of(node):
            body[place] = node
            return
    first = (at for at, each in enumerate(body) if isinstance(each, ast.FunctionDef | ast.ClassDef))
    body.insert(next(first, len(body)), node)
