"""The rows of a study: each variant at each of its rates with each seed, kept as soon as a run ends."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any, ClassVar

from lessons.compare.kept_rates import difference
from lessons.compare.kept_rows import NUMBER, read_kept
from transformer.learning.formats import write_json

WORD_ERROR = {"word_error": NUMBER}
ROW = {"name": str, "rate": NUMBER, "seed": int}
RESULTS = Path(__file__).parent.parent / "results"


class KeptRows:
    """The rows of a study: for each variant every rate of `rates[name]` with every seed.

    `found`   what a row holds that did not fail, as kept_rows.py has it
    """

    found: ClassVar[Mapping[str, Any]] = {"british": WORD_ERROR, "american": WORD_ERROR}

    def __init__(self, file: Path, about: Mapping[str, Any], rates: Mapping[str, Iterable[float]], seeds: int):
        self.file, self.about, self.rates, self.seeds = file, dict(about), rates, seeds
        self.rows: list[dict[str, Any]] = []

    def begin(self, anew: bool) -> None:
        """Goes on with the rows that are there. Raises ValueError for those of another setting, unless it is made anew."""
        shape = {"setting": dict, "rows": [(ROW | {"failed": str}, ROW | dict(self.found)), ...]}
        kept = read_kept(self.file, shape) if self.file.exists() and not anew else {"rows": [], **self.about}
        if kept["setting"] != self.about["setting"]:
            said = difference(kept["setting"], self.about["setting"])
            raise ValueError(f"{self.file} was {said}; --anew forgets it, --out DIR keeps this one elsewhere")
        self.rows = kept["rows"]

    @property
    def names(self) -> Iterable[str]:
        return self.rates

    def wanted(self, name: str) -> list[tuple[float, int]]:
        done = {(row["rate"], row["seed"]) for row in self.rows if row["name"] == name}
        every = [(rate, seed) for rate in dict.fromkeys(self.rates[name]) for seed in range(self.seeds)]
        return [run for run in every if run not in done]

    def add(self, name: str, rate: float, seed: int, found: dict[str, Any] | str) -> None:
        row = {"failed": found} if isinstance(found, str) else found
        self.rows.append({"name": name, "rate": rate, "seed": seed, **row})
        order = list(self.rates)
        self.rows.sort(key=lambda row: (order.index(row["name"]), row["rate"], row["seed"]))
        self.file.parent.mkdir(parents=True, exist_ok=True)
        write_json(self.file, {**self.about, "rows": self.rows})

    def line(self, name: str, rate: float, seed: int, found: dict[str, Any] | str) -> str:
        said = (
            f"failed: {found}" if isinstance(found, str) else f"British word error {found['british']['word_error']:.1%}"
        )
        return f"{name:28} {rate:<7g} seed {seed}  {said}"

    def outcome(self, name: str) -> str:
        return f"{name:28} is measured"


def errors_at(rows: Sequence[Mapping[str, Any]], name: str, rate: float, accent: str = "british") -> list[float]:
    """The word errors of a variant at a rate, in per cent, a value for each seed."""
    return [
        100 * row[accent]["word_error"]
        for row in rows
        if row["name"] == name and row["rate"] == rate and "failed" not in row
    ]


def mean_at(rows: Sequence[Mapping[str, Any]], name: str, rate: float) -> float:
    return mean(errors_at(rows, name, rate))
