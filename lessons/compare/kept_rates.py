"""The file of searched learning rates: each entry with all that was tried, and the setting that it was searched under.

    {"methods": {"lora": {"setting": {"steps": 300, ...}, "tried": {"0.003": {"0": 0.1042, "1": 0.1036}, ...},
                          "failed": {"1, seed 0": "the loss is not finite"}, "best": 0.003}, ...}}

An error of null is a run that failed. `best` is there once the search of that entry is over.
"""

from collections.abc import Iterable, Mapping
from math import inf
from pathlib import Path
from statistics import mean
from typing import Any

from lessons.compare.ladder import best_inside, next_runs
from lessons.task.finetuning import read_rates
from transformer.learning.formats import write_json

Setting = Mapping[str, Any]
DIGITS = 5


class KeptRates:
    """What a search has found, written at once.

    `file`       the JSON file, which need not be there
    `settings`   name → the setting that its entry must have, in the order of the file
    `start`      name → the rates to begin with
    `seeds`      for the best rate and its two neighbours
    `about`      what the file says of itself: the command, the measure
    """

    def __init__(
        self,
        file: Path,
        settings: Mapping[str, Setting],
        start: Mapping[str, Iterable[float]],
        seeds: int,
        about: Mapping[str, str],
    ):
        self.file, self.settings, self.start, self.seeds, self.about = file, settings, start, seeds, about
        self.entries: dict[str, Any] = read_rates(file)["methods"] if file.exists() else {}

    def begin(self, anew: bool, way_out: str) -> None:
        """Makes the entries that are not there. Raises ValueError for one of another setting, unless it is made anew."""
        for name, setting in self.settings.items():
            entry = self.entries.get(name)
            if entry and not anew and entry.get("setting") != setting:
                raise ValueError(f"{self.file} holds {name} {difference(entry.get('setting'), setting)}; {way_out}")
            if entry is None or anew:
                self.entries.pop(name, None)  # its place is then that of `settings`
                self.entries[name] = {"setting": dict(setting), "tried": {}}
        self.write()

    def tried(self, name: str) -> dict[float, dict[int, float]]:
        return {
            float(rate): {int(seed): inf if error is None else error for seed, error in errors.items()}
            for rate, errors in self.entries[name]["tried"].items()
        }

    def wanted(self, name: str) -> list[tuple[float, int]]:
        """The (rate, seed) to run now; none when this search is over."""
        return next_runs(self.start[name], self.tried(name), self.seeds)

    def add(self, name: str, rate: float, seed: int, error: float | str) -> None:
        """Keeps one run: its error, or in words why it has none."""
        entry = self.entries[name]
        if isinstance(error, str):
            entry.setdefault("failed", {})[f"{rate:g}, seed {seed}"] = error
        kept = round(error, DIGITS) if isinstance(error, float) else None
        entry["tried"].setdefault(f"{rate:g}", {})[str(seed)] = kept
        self.close(name)
        self.write()

    def close(self, name: str) -> None:
        """Says the best of an entry once nothing more is wanted, if there is one inside what was tried."""
        entry = self.entries[name]
        entry.pop("best", None)
        best = best_inside(self.tried(name))
        if not self.wanted(name) and best is not None:
            entry["best"] = best

    @property
    def names(self) -> Iterable[str]:
        return self.settings

    def line(self, name: str, rate: float, seed: int, error: float | str) -> str:
        said = f"{error:.4f}" if isinstance(error, float) else f"failed: {error}"
        return f"{name:18} {rate:<7g} seed {seed}  {said}"

    def outcome(self, name: str) -> str:
        """What is said when a search is over."""
        tried, best = self.tried(name), self.entries[name].get("best")
        between = f"of {len(tried)} rates from {min(tried):g} to {max(tried):g}"
        if best is None:
            return f"{name:18} no rate {between} is better than those beside it: its recipe's `rates` may be wrong"
        return f"{name:18} best {best:g}, {between}: {mean(tried[best].values()):.4f} over {len(tried[best])} seeds"

    def write(self) -> None:
        for entry in self.entries.values():
            if "setting" in entry:
                entry["tried"] = {
                    rate: dict(sorted(entry["tried"][rate].items())) for rate in sorted(entry["tried"], key=float)
                }
        self.file.parent.mkdir(parents=True, exist_ok=True)
        write_json(self.file, {**self.about, "methods": self.entries})


def difference(kept: Setting | None, asked: Setting) -> str:
    """What tells two settings apart, in words."""
    if kept is None:
        return "without the setting that it was searched under"
    names = [name for name in {**kept, **asked} if kept.get(name) != asked.get(name)]
    both = [", ".join(f"{name} {setting.get(name)}" for name in names) for setting in (kept, asked)]
    return f"searched with {both[0]}, and this search has {both[1]}"
