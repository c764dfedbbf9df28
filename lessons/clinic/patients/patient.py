"""A patient: a sick run, what was done in it, the exercise's repair, and the measurement that both are held to."""

import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len
from torch import Tensor, tensor

from lessons.clinic.patients.ward import Ward, small
from lessons.language.message import in_language
from lessons.language.words import tell
from lessons.language.wrapping import padded

Run = Mapping[str, Any]


@dataclass(frozen=True)
class Patient:
    """`admit` makes the sick run, the arguments of the repair.

    `case`      the illness, by its name in cases/: not told before it is asked for
    `as_found`  what the sick run does with it
    `treat`     the same with the functions of repairs/
    `examine`   what is measured of either: name → numbers
    `settings`  the run as `diagnose` takes it, where it can
    `hidden`    measurements that would tell the illness: not shown before it is repaired
    """

    name: str
    case: str
    symptom: str
    admit: Callable[[Ward], Run]
    as_found: Callable[..., Any]
    treat: Callable[..., Any]
    examine: Callable[[Ward, Run, Any], dict[str, Tensor]]
    settings: Callable[[Ward, Run], dict[str, Any]] | None = None
    hidden: tuple[str, ...] = ()

    def measured(self, ward: Ward, treated: bool = True) -> dict[str, Tensor]:
        """After the repair, or as it was found."""
        run = self.admit(ward)
        return self.examine(ward, run, (self.treat if treated else self.as_found)(**run))

    def graded(self, seed: int) -> dict[str, Tensor]:
        """After the repair, on a small random model."""
        return self.measured(small(seed))

    @property
    def found_code(self) -> str:
        """The lines of the sick run."""
        return textwrap.dedent(inspect.getsource(self.as_found))


def refused(repair: Callable[..., Any], *given: Any) -> Tensor:
    """1 where the repair says by a ValueError that there is nothing to repair, else 0."""
    try:
        repair(*given)
    except ValueError:
        return tensor(1)
    return tensor(0)


def told(measured: Mapping[str, Tensor]) -> Iterator[str]:
    """One line for each measurement."""
    names = [in_language(name) for name in measured]
    width = max(map(cell_len, names))
    for name, value in zip(names, measured.values(), strict=True):
        numbers = "  ".join(f"{float(x):.4g}" for x in value.flatten()[:6])
        more = "  " + tell("... {count} numbers", count=value.numel()) if value.numel() > 6 else ""
        yield f"{padded(name, width)}  {numbers}{more}"
