"""The signatures of what a solution uses from elsewhere: a stub says them, since their files are not in it."""

import ast
import copy
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from lessons.exercises.source import LIBRARY, Definition, find, functions, parse

PACKAGES = ("transformer", "quant", "peft", "rlhf")
WIDTH = 76
"""Behind "#   ", in a terminal of 80 columns."""


def helpers(source: str, targets: Sequence[str]) -> list[str]:
    """The lines that tell of each imported function or class of ours that the targets' bodies name, and of what `self` holds."""
    tree = parse(source)
    pairs = [pair for target in targets for pair in functions(find(tree, target), target)]
    bodies = [node for _, function in pairs for statement in function.body for node in ast.walk(statement)]
    used = {node.id for node in bodies if isinstance(node, ast.Name)}
    told = [described(name, module) for name, module in imported(tree) if name in used]
    return [line for block in told + held(tree, targets) for line in block]


def imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """What is imported from our packages: the name, and the module."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] in PACKAGES:
            yield from ((alias.name, node.module) for alias in node.names if not alias.asname)


def described(name: str, module: str) -> list[str]:
    """product(up: nn.Linear, ...) -> Float[Tensor, "d_out d_in"], and below it what it does. Empty for what is no function."""
    found = definition(name, module)
    return block(f"{name}{signature(found)}", found) if found else []


def block(head: str, found: Definition) -> list[str]:
    """The signature, and the first paragraph of the docstring, both within the width of a stub."""
    text = " ".join((ast.get_docstring(found) or "").partition("\n\n")[0].split())
    lines = textwrap.wrap(head, WIDTH, subsequent_indent=8 * " ", break_long_words=False)
    return lines + textwrap.wrap(text, WIDTH, initial_indent="    ", subsequent_indent="    ", break_long_words=False)


def signature(node: Definition) -> str:
    """(up: nn.Linear, down: nn.Linear, scaling: float) -> Tensor; of a class the arguments that make one."""
    if isinstance(node, ast.ClassDef):
        made = method(node, "__init__")
        return (
            signature(made).partition(" -> ")[0]
            if made
            else f"(...), made as {', '.join(map(ast.unparse, node.bases))} is"
        )
    arguments = copy.deepcopy(node.args)
    arguments.args = [argument for argument in arguments.args if argument.arg != "self"]
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"({ast.unparse(arguments)}){returns}".replace("'", '"')


def method(node: ast.ClassDef, name: str) -> ast.FunctionDef | None:
    return next((child for child in node.body if isinstance(child, ast.FunctionDef) and child.name == name), None)


def definition(name: str, module: str) -> Definition | None:
    """Where it is defined, also behind a package that hands it on."""
    path = file_of(module)
    tree = parse(path.read_text(encoding="utf-8")) if path else ast.Module([], [])
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return node
    further = next((origin for known, origin in imported(tree) if known == name and origin != module), None)
    return definition(name, further) if further else None


def held(tree: ast.Module, targets: Sequence[str]) -> list[list[str]]:
    """What the targets' bodies take from `self` that their file does not explain: by whom it is set, and how it is called."""
    told: dict[str, list[str]] = {}
    for target in targets:
        outer, _, _ = target.rpartition(".")
        if not outer or not isinstance(owner := find(tree, outer), ast.ClassDef):
            continue
        for name in attributes(find(tree, target)):
            lines = called_as(name, owner, tree) or inherited(name, owner, tree)
            if lines and method(owner, name) is None:
                told.setdefault(name, lines)
    return list({tuple(lines): lines for lines in told.values()}.values())


def attributes(function: ast.AST) -> list[str]:
    """The names behind `self.`, each once, in their order."""
    found = [
        node.attr
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    ]
    return list(dict.fromkeys(found))


def assigned(name: str, owner: ast.ClassDef) -> ast.Assign | None:
    """The line of `__init__` that sets it."""
    made = method(owner, "__init__")
    lines = [node for node in ast.walk(made) if isinstance(node, ast.Assign)] if made else []
    return next(
        (line for line in lines if name in attributes(ast.Module([ast.Expr(t) for t in line.targets], []))), None
    )


def called_as(name: str, owner: ast.ClassDef, tree: ast.Module) -> list[str]:
    """self.self_attention(query, key, ...): for what the file itself sets to a module of ours, how that is called."""
    line = assigned(name, owner)
    maker = line.value.func if line and isinstance(line.value, ast.Call) else None
    module = next((where for known, where in imported(tree) if isinstance(maker, ast.Name) and known == maker.id), None)
    found = definition(maker.id, module) if module and isinstance(maker, ast.Name) else None
    if isinstance(found, ast.FunctionDef) and isinstance(found.returns, ast.Name) and module:
        found = definition(found.returns.id, module)
    forward = method(found, "forward") if isinstance(found, ast.ClassDef) else None
    return block(f"self.{name}{signature(forward)}", forward) if forward else []


def inherited(name: str, owner: ast.ClassDef, tree: ast.Module) -> list[str]:
    """What a class sets that this one is built on: its line there, with what that line calls; a method's signature."""
    known = dict(imported(tree))
    for base in owner.bases:
        if not isinstance(base, ast.Name):
            continue
        module = known.get(base.id)
        above = definition(base.id, module) if module else next(iter(local(base.id, tree)), None)
        if not isinstance(above, ast.ClassDef):
            continue
        if found := method(above, name):
            return block(f"self.{name}{signature(found)}", found)
        if line := assigned(name, above):
            return textwrap.wrap(
                f"{ast.unparse(line)}, set in {above.name}".replace("'", '"'), WIDTH, subsequent_indent="    "
            )
        home = file_of(module) if module else None
        if lines := inherited(name, above, parse(home.read_text(encoding="utf-8")) if home else tree):
            return lines
    return []


def local(name: str, tree: ast.Module) -> list[ast.ClassDef]:
    return [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]


def file_of(module: str) -> Path | None:
    place = LIBRARY.joinpath(*module.split("."))
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None)
