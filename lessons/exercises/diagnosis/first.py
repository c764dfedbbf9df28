"""Which of several failures is explained: a mistake in what is computed before an edge case."""

from collections.abc import Mapping, Sequence

EDGE = ("refused:", "Failed: DID NOT RAISE")
"""How the messages of edge cases begin: something impossible that is not refused."""


def first_to_explain(tests: Sequence[Mapping[str, str]], passed: str) -> Mapping[str, str]:
    """Of tests that are not all passed."""
    failures = [test for test in tests if test["outcome"] != passed]
    return min(failures, key=lambda test: (is_edge(test, tests, passed), tests.index(test)))


def is_edge(test: Mapping[str, str], tests: Sequence[Mapping[str, str]], passed: str) -> bool:
    """Something impossible is not refused; or it breaks with one of a test's inputs, and is right with others."""
    if test["message"].startswith(EDGE):
        return True
    name, bracket, _ = test["name"].partition("[")
    others = [other for other in tests if bracket and other["name"].startswith(f"{name}[")]
    return ": " in test["message"] and is_error(test["message"]) and any(other["outcome"] == passed for other in others)


def is_error(message: str) -> bool:
    """Python's words, RuntimeError: ..., and not ours, value: ..."""
    return message.partition(":")[0].endswith(("Error", "Exception"))
