"""Types and shapes of signatures, enforced by beartype, for which an int is a float, as in PEP 484, and by jaxtyping."""

import functools
import inspect
import types
from collections import Counter
from collections.abc import Callable, Sequence

import jaxtyping
from beartype import BeartypeConf, beartype
from beartype.roar import BeartypeCallHintViolation

ENOUGH = 3
"""Calls of a function that are checked in a test. A training calls it hundreds of times, and all checks would take as long as
all that is checked."""

checks: Counter[Callable] = Counter()
"""How often each was checked since the test began; conftest.py empties it."""

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
jaxtyped = jaxtyping.jaxtyped


def install(packages: Sequence[str]) -> None:
    """Enforces every signature in these packages, at the first calls, as soon as they are imported."""
    jaxtyping.jaxtyped = shaped
    jaxtyping.install_import_hook(packages, f"{__name__}.checked")


def shaped(function: Callable | None = None, *, typechecker: Callable) -> Callable:
    """What jaxtyping.jaxtyped enforces, which binds every call's arguments and checks them twice: here each is checked once."""
    if function is None:
        return functools.partial(shaped, typechecker=typechecker)
    if not isinstance(function, types.FunctionType) or inspect.isgeneratorfunction(function):
        return jaxtyped(function, typechecker=typechecker)
    checking = typechecker(function)

    @functools.wraps(function)
    def call(*args: object, **kwargs: object) -> object:
        if jaxtyping.config.jaxtyping_disable or checks[function] == ENOUGH:
            return function(*args, **kwargs)
        checks[function] += 1
        with jaxtyped("context"):  # where the sizes are kept that the names of axes stand for in this call
            try:
                return checking(*args, **kwargs)
            except BeartypeCallHintViolation as violation:
                raise jaxtyping.TypeCheckError(f"Type-check error: {violation}") from violation

    return call
