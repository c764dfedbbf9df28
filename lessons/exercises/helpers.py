"""The signatures of what a solution uses from elsewhere: a stub says them, since their files are not in it."""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

from lessons.exercises.source import LIBRARY, Definition, find, functions, parse

PACKAGES = ("transformer", "quant", "peft", "rlhf")
LONGEST = 118


def helpers(source: str, targets: Sequence[str]) -> list[str]:
    """One line for each imported function or class of ours that the targets' bodies name: its signature, and what it does."""
    tree = parse(source)
    used = {
        node.id
        for target in targets
        for _, function in functions(find(tree, target), target)
        for statement in function.body
        for node in ast.walk(statement)
        if isinstance(node, ast.Name)
    }
    return [line for name, module in imported(tree) if name in used and (line := described(name, module))]


def imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """What is imported from our packages: the name, and the module."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] in PACKAGES:
            yield from ((alias.name, node.module) for alias in node.names if not alias.asname)


def described(name: str, module: str) -> str:
    """product(up, down, scaling): s · B A. Empty for what is no function and no class."""
    found = definition(name, module)
    if found is None:
        return ""
    arguments = signature(found)
    first = (ast.get_docstring(found) or "").partition("\n")[0]
    line = f"{name}({arguments})" + (f": {first}" if first else "")
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 4]} ..."


def signature(node: Definition) -> str:
    """The arguments with the types that are no tensors, which their names tell: up: nn.Linear, x, scaling: float."""
    if isinstance(node, ast.ClassDef):
        made = next(
            (child for child in node.body if isinstance(child, ast.FunctionDef) and child.name == "__init__"), None
        )
        return signature(made) if made else "..."
    names = [argument for argument in node.args.args if argument.arg != "self"]
    shown = [f"{each.arg}: {ast.unparse(each.annotation)}" if each.annotation else each.arg for each in names]
    return ", ".join(shown)


def definition(name: str, module: str) -> Definition | None:
    """Where it is defined, also behind a package that hands it on."""
    path = file_of(module)
    tree = parse(path.read_text(encoding="utf-8")) if path else ast.Module([], [])
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return node
    further = next((origin for known, origin in imported(tree) if known == name and origin != module), None)
    return definition(name, further) if further else None


def file_of(module: str) -> Path | None:
    place = LIBRARY.joinpath(*module.split("."))
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None)
