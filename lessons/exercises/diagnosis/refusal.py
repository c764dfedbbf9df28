"""What must be refused: the type of the error counts, and never its words."""

from collections.abc import Callable
from typing import Any

from lessons.exercises.diagnosis.calls import value_text


def assert_refused(
    function: Callable[..., Any],
    *given: Any,
    kinds: type[Exception] | tuple[type[Exception], ...] = ValueError,
    **named: Any,
) -> None:
    """Raises AssertionError, with the call, unless the call raises an error of one of these types."""
    __tracebackhide__ = True
    wanted = " or ".join(kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,)))
    try:
        result = function(*given, **named)
    except kinds:
        return
    except NotImplementedError:
        raise
    except Exception as error:
        raise AssertionError(
            f"refused: {text(function, given, named)} must raise {wanted}; it raises {type(error).__name__}: {error}"
        ) from error
    raise AssertionError(f"refused: {text(function, given, named)} must raise {wanted}; it gives {value_text(result)}")


def text(function: Callable[..., Any], given: tuple[Any, ...], named: dict[str, Any]) -> str:
    name = getattr(function, "__qualname__", type(function).__name__)
    arguments = [*map(value_text, given), *(f"{key}={value_text(value)}" for key, value in named.items())]
    return f"{name}({', '.join(arguments)})"
