"""Which tests are asked about a mutant, and in which order: of those that run its lines by turns the nearest, the quickest, and
those that run most of its file."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from tests.mutants.changes import Mutant
from tests.mutants.depending import depending
from tests.mutants.keeping import ROOT
from tests.mutants.learning import Lines

DEFAULTS = "tests/test_defaults.py"
"""It reads what was made when the packages were imported, and so runs no line of theirs."""

MISTAKES = "bad_input"
"""What is refused, and the largest values that are not, of all packages."""

SELDOM = 5
"""Where at most one of so many tests goes."""


def cases_apart(names: list[str]) -> list[str]:
    """The first case of every test, then the second of each that has one, and so on: one sees what its neighbours see."""
    seen: Counter[str] = Counter()
    turns = {}
    for name in names:
        function = name.partition("[")[0]
        seen[function] += 1
        turns[name] = seen[function]
    return sorted(names, key=lambda name: turns[name])


def distance(file: str, test: Path) -> int:
    """0 for tests that are named as the file is, or begin or end so; then those of its folder, of the one above, all others."""
    *folders, stem = Path(file).with_suffix("").parts
    topic = test.stem.removeprefix("test_")
    if topic.startswith(stem) or stem.startswith(topic) or topic.endswith(f"_{stem}") or test.parent.name == MISTAKES:
        return 0
    return 1 + [*reversed(folders), test.parent.name].index(test.parent.name)


def away(mutant: Mutant, name: str) -> int:
    return 0 if name.startswith(DEFAULTS) else distance(mutant.file, Path(name.partition("::")[0]))


class Nearest:
    """Learned lines, and which tests have killed a file's mutants before: they are asked first."""

    def __init__(self, known: dict[str, dict], imports: Lines):
        self.known, self.imports = known, imports
        self.by_line: dict[tuple[str, int], set[str]] = defaultdict(set)
        self.by_file: dict[str, Counter[str]] = defaultdict(Counter)
        self.killers: dict[str, Counter[str]] = defaultdict(Counter)
        for name, entry in known.items():
            for file, lines in entry["lines"].items():
                self.by_file[file][name] = len(lines)
                for line in lines:
                    self.by_line[file, line].add(name)

    def tests(self, mutant: Mutant, budget: float) -> list[str]:
        """At most `budget` seconds of tests, and at least one where there is any."""
        first, last = mutant.lines
        lines = range(first, mutant.last + 1)
        names = self.through(mutant.file, range(first, last + 1))
        if not mutant.function:
            lines = sorted(depending((ROOT / mutant.file).read_text(), first))
            names = self.through(mutant.file, lines) or set(self.by_file[mutant.file])
            names |= {name for name in self.known if name.startswith(DEFAULTS)}
        chosen, seconds, seldom = [], 0.0, self.seldom(mutant.file, lines, names)
        near = sorted(names, key=lambda name: (name not in seldom, *self.order(mutant, name)))
        deep = sorted(near, key=lambda name: -self.by_file[mutant.file][name])
        quick = sorted(near, key=lambda name: self.known[name]["seconds"])
        close = [name for name in near if name in seldom or away(mutant, name) == 0]
        near = [*close, *cases_apart([name for name in near if name not in close])]
        by_turns = zip(near, cases_apart(quick), cases_apart(deep), strict=True)
        for name in dict.fromkeys(chain.from_iterable(by_turns)):
            seconds += self.known[name]["seconds"]
            if chosen and seconds > budget:
                break
            chosen.append(name)
        return chosen

    def through(self, file: str, lines: Iterable[int]) -> set[str]:
        """The tests that run one of these lines."""
        return set().union(*(self.by_line.get((file, line), ()) for line in lines))

    def seldom(self, file: str, lines: Iterable[int], names: set[str]) -> set[str]:
        """The tests that went where few go: into the branch that raises, for one."""
        several = [self.by_line.get((file, line), set()) for line in lines]
        return {name for those in several if SELDOM * len(those) <= len(names) for name in those}

    def order(self, mutant: Mutant, name: str) -> tuple:
        seconds = self.known[name]["seconds"]
        killed = self.killers[mutant.function or mutant.file][name]
        return (-killed, away(mutant, name), seconds, -self.by_file[mutant.file][name])

    def note(self, mutant: Mutant, answer: str) -> None:
        """Remembers who killed it."""
        if answer.startswith("killed "):
            self.killers[mutant.function or mutant.file][answer.removeprefix("killed ")] += 1

    def at_import(self, mutant: Mutant) -> bool:
        """Whether the mutant's lines ran when the packages were imported: an exchange of code comes too late for that."""
        first, last = mutant.lines
        return bool(set(self.imports.get(mutant.file, ())) & set(range(first, last + 1)))

    def write(self, file: Path) -> None:
        file.write_text(json.dumps({"known": self.known, "imports": self.imports}))

    @classmethod
    def read(cls, file: Path) -> "Nearest":
        return cls(**json.loads(file.read_text()))
