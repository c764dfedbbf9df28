"""Putting a mutant into a running process: the code of its function is exchanged, everything else stays as it was imported.

Where that is impossible (a default, a class attribute, a constant of the module), the file is imported anew with the
mutant in it: `stand_in` says what the loader reads in its place.
"""

import ast
import gc
import importlib.machinery
import sys
from collections import defaultdict
from pathlib import Path
from types import CodeType, FunctionType

from tests.mutants.changes import Mutant

PACKAGES = ("transformer", "peft", "quant", "rlhf")


def module_name(file: str) -> str:
    return file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


class Functions:
    """The live functions of our packages, by the code that they run."""

    def __init__(self, root: Path):
        self.root = root
        self.by_code: dict[CodeType, list[FunctionType]] = defaultdict(list)
        folders = tuple(f"{root / package}/" for package in PACKAGES)
        for found in gc.get_objects():
            if type(found) is FunctionType and found.__code__.co_filename.startswith(folders):
                self.by_code[found.__code__].append(found)

    def swap(self, mutant: Mutant) -> bool:
        """Exchanges the code of the mutant's function; False where that is impossible."""
        source = (self.root / mutant.file).read_text()
        before, after = self.codes(mutant.file, source), self.codes(mutant.file, mutant.applied(source))
        places = [index for index, code in enumerate(before) if code.co_qualname == mutant.function]
        if not mutant.function or not places or len(before) != len(after):
            return False
        swapped = False
        for index in places:
            for function in self.by_code.get(before[index], ()):
                try:
                    function.__code__ = after[index]
                except ValueError:
                    return False
                swapped = True
        return swapped

    def codes(self, file: str, source: str) -> list[CodeType]:
        """The code of the functions of a module and of its classes, compiled as the import did it."""
        loader = sys.modules[module_name(file)].__spec__.loader
        return list(outermost(loader.source_to_code(source.encode(), str(self.root / file))))


def outermost(code: CodeType):
    """Functions, and methods through the bodies of their classes; not what stands inside functions."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            if constant.co_flags & 0x02:  # CO_NEWLOCALS: a function
                yield constant
            else:
                yield from outermost(constant)


def stand_in(mutant: Mutant, root: Path) -> None:
    """From now on an import of the mutant's file reads it with the mutant in it."""
    path = str(root / mutant.file)
    changed = mutant.applied(Path(path).read_text()).encode()
    ast.parse(changed)
    read = importlib.machinery.SourceFileLoader.get_data
    cached = importlib.machinery.SourceFileLoader.get_code

    def get_data(self, name):
        return changed if name == path else read(self, name)

    def get_code(self, fullname):
        if self.path == path:
            return self.source_to_code(changed, path)
        return cached(self, fullname)

    importlib.machinery.SourceFileLoader.get_data = get_data
    importlib.machinery.SourceFileLoader.get_code = get_code
