"""Numbers of several seeds as one: mean ± standard deviation; and a long curve as a short one."""

from collections.abc import Iterable, Sequence
from statistics import mean, stdev

CURVE_POINTS = 60


def mean_sd(values: Iterable[float | None]) -> tuple[float, float] | None:
    """Mean and standard deviation over the seeds (0 for one seed); None where a seed has no value."""
    numbers = list(values)
    found = [value for value in numbers if value is not None]
    if not found or len(found) < len(numbers):
        return None
    return mean(found), stdev(found) if len(found) > 1 else 0.0


def shown(values: Iterable[float | None], form: str = ".1f") -> str:
    """ "mean", or "mean ± sd" over several seeds, or a dash."""
    numbers = list(values)
    found = mean_sd(numbers)
    if found is None:
        return "–"
    return f"{found[0]:{form}} ± {found[1]:{form.lstrip('+')}}" if len(numbers) > 1 else f"{found[0]:{form}}"


def percents(shares: Iterable[float | None]) -> list[float | None]:
    """Each share times 100; where there is none there is none."""
    return [None if share is None else 100 * share for share in shares]


def curve(losses: Sequence[float], points: int = CURVE_POINTS) -> list[tuple[int, float]]:
    """(step, mean loss up to it since the point before): a curve that is short enough to keep."""
    width = max(1, round(len(losses) / points))
    starts = range(0, len(losses), width)
    return [(min(start + width, len(losses)), mean(losses[start : start + width])) for start in starts]
