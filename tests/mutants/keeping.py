"""What is kept of mutants: every answer while running (so that a run goes on where it stopped), and the table at the end.

runs/mutants/answers.jsonl     one line a mutant, by the text of its function: an edit there asks anew
tests/mutants/answers.json     the same for everybody, a letter a mutant: a run begins with what earlier ones have asked
tests/mutants/equivalent.toml  the mutants that are no mistake, each with the reason
tests/mutants/result.json      the table, and the survivors
"""

import ast
import json
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from tests.mutants.changes import Mutant
from tests.mutants.swap import PACKAGES

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
EQUIVALENT, RESULT, KEPT = HERE / "equivalent.toml", HERE / "result.json", HERE / "answers.json"
LETTERS = {"killed": "k", "survived": "s", "no test runs it": "n", "": "."}
"""In answers.json: of every function a letter for each mutant, in their order."""


def product(wanted: list[str]) -> Iterable[str]:
    """The files that are mutated."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            if path.name != "__init__.py" and (not wanted or any(name.startswith(one) for one in wanted)):
                yield name


class Answers:
    """The answers so far, in a file that grows by a line at a time."""

    def __init__(self, file: Path, sources: dict[str, str]):
        self.file, self.sources = file, sources
        self.known: dict[str, str] = {}
        if file.is_file():
            for line in file.read_text().splitlines():
                key, answer = json.loads(line)
                self.known[key] = answer
        self.functions = {name: functions_of(source) for name, source in sources.items()}

    def key(self, mutant: Mutant) -> str:
        text = self.functions[mutant.file].get(mutant.function, self.sources[mutant.file])
        return f"{mutant.name} @{sha256(text.encode()).hexdigest()[:8]}"

    def of(self, mutant: Mutant) -> str:
        """What came of it; empty when it has not run."""
        return self.known.get(self.key(mutant), "")

    def note(self, mutant: Mutant, answer: str) -> None:
        self.known[self.key(mutant)] = answer
        with self.file.open("a") as stream:
            stream.write(json.dumps([self.key(mutant), answer], ensure_ascii=False) + "\n")

    def begin(self, mutants: list[Mutant], kept: dict[str, str]) -> None:
        """Takes over what is kept of functions that are as they were, where this folder has no answer of its own."""
        words = {letter: answer for answer, letter in LETTERS.items()}
        for function, several in self.by_function(mutants).items():
            for mutant, letter in zip(several, kept.get(function, ""), strict=False):
                self.known.setdefault(self.key(mutant), words[letter])

    def letters(self, mutants: list[Mutant]) -> dict[str, str]:
        """What `begin` takes over."""
        by_function = self.by_function(mutants)
        return {function: "".join(map(self.letter, several)) for function, several in sorted(by_function.items())}

    def letter(self, mutant: Mutant) -> str:
        answer = self.of(mutant)
        return LETTERS["killed"] if killed(answer) else LETTERS.get(answer, LETTERS[""])

    def by_function(self, mutants: list[Mutant]) -> dict[str, list[Mutant]]:
        found: dict[str, list[Mutant]] = defaultdict(list)
        for mutant in mutants:
            found[f"{mutant.file} {mutant.function or 'module'} @{self.key(mutant).rpartition('@')[2]}"].append(mutant)
        return found


def functions_of(source: str) -> dict[str, str]:
    """The text of every function that stands in no other one, by its dotted name."""
    found: dict[str, str] = {}

    def walk(body: list[ast.stmt], scope: str) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef):
                text = ast.get_source_segment(source, node) or ""
                found[f"{scope}{node.name}"] = found.get(f"{scope}{node.name}", "") + text
            elif isinstance(node, ast.ClassDef):
                walk(node.body, f"{scope}{node.name}.")

    walk(ast.parse(source).body, "")
    return found


def killed(answer: str) -> bool:
    return answer.startswith(("killed", "timed out", "died"))


def equivalents() -> dict[str, str]:
    """The mutants that are judged to be no mistake, each with its reason."""
    if not EQUIVALENT.is_file():
        return {}
    groups = tomllib.loads(EQUIVALENT.read_text())["equivalent"]
    return {name: group["why"] for group in groups for name in group["mutants"]}


def table(mutants: list[Mutant], answers: Answers) -> dict[str, Counter[str]]:
    """By file: mutants, killed, equivalent, survived, and those that have not run."""
    same = equivalents()
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    for mutant in mutants:
        answer = answers.of(mutant)
        kind = (
            "equivalent"
            if mutant.name in same
            else "unasked"
            if not answer
            else "killed"
            if killed(answer)
            else "survived"
        )
        rows[mutant.file].update(("mutants", kind))
    return rows


def shown(rows: dict[str, Counter[str]]) -> str:
    """The table as text, the worst file last."""
    names = ("mutants", "killed", "equivalent", "survived", "unasked")
    lines = [f"{'':44}" + "".join(f"{name:>12}" for name in (*names, "score"))]
    whole = sum(rows.values(), Counter())
    for file, row in [*sorted(rows.items(), key=lambda pair: -score(pair[1])), ("all", whole)]:
        share = f"{score(row):.1%}" if row["killed"] + row["survived"] else "–"
        lines.append(f"{file:44}" + "".join(f"{row[name]:12}" for name in names) + f"{share:>12}")
    return "\n".join(lines)


def score(row: Counter[str]) -> float:
    """Killed of those that were asked and are mistakes."""
    asked = row["killed"] + row["survived"]
    return row["killed"] / asked if asked else 1.0


def keep(rows: dict[str, Counter[str]], survivors: list[str], letters: dict[str, str]) -> None:
    """Writes the table, and what the next run begins with."""
    whole = sum(rows.values(), Counter())
    result = {
        "score": round(score(whole), 4),
        "all": dict(whole),
        "files": {file: dict(row) for file, row in sorted(rows.items())},
        "survivors": sorted(survivors),
    }
    RESULT.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    KEPT.write_text(json.dumps(letters, indent=0, ensure_ascii=False) + "\n")


def kept_letters() -> dict[str, str]:
    return json.loads(KEPT.read_text()) if KEPT.is_file() else {}
