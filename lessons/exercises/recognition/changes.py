"""Small changes of the live source, each with the sentence for whoever has made it.

A student's mistake is most of the time a small change of right code: a factor left out, another axis, a sign. Whoever makes
such changes to the right code has the results of most mistakes without anybody having written them down.
"""

import ast
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from lessons.exercises.exercise import Exercise
from lessons.exercises.recognition import calls, choices, names, numbers, order, steps
from lessons.exercises.recognition.sentences import is_cause, whole_sentence
from lessons.exercises.recognition.wording import Text
from lessons.exercises.source import definition_text, find, functions, parse, statements


@dataclass(frozen=True)
class Change:
    """Which bytes of the source become which, and what is wrong then."""

    sentence: str
    start: int
    stop: int
    new: bytes

    def apart(self, other: "Change") -> bool:
        return self.stop <= other.start or other.stop <= self.start

    def around(self, other: "Change", source: bytes) -> "Change | None":
        """Both as one, where the other lies within what this one keeps; nothing where it does not keep it."""
        inner = source[other.start : other.stop]
        if not (self.start <= other.start and other.stop <= self.stop) or self.new.count(inner) != 1 or len(inner) < 2:
            return None
        sentence = f"{self.sentence}; and {other.sentence}"
        return Change(sentence, self.start, self.stop, self.new.replace(inner, other.new))


def everywhere(source: str, targets: Sequence[str]) -> Iterator[Change]:
    """Every axis of a function at once: who takes the mean over another axis takes the variance there too."""
    tree, text = parse(source), Text(source)
    for function in (function for target in targets for _, function in functions(find(tree, target), target)):
        body = statements(function)
        start, stop = text.span(body[0])[0], text.span(body[-1])[1]
        old = text.data[start:stop].decode()
        for now in ("-1", "1"):
            if old.count(f"dim={now}") > 1:
                for other in ("-2", "0", "1"):
                    new = old.replace(f"dim={now}", f"dim={other}")
                    said = (
                        f"every axis is {other}, where {now} is wanted: it runs over the vectors, not over the features"
                    )
                    yield Change(said, start, stop, new.encode())
                new = old.replace(f"dim={now}, keepdim=True", "").replace(f"dim={now}", "")
                yield Change(
                    "everything is taken over the whole tensor, all numbers at once", start, stop, new.encode()
                )


def catalogued(exercise: Exercise, source: str) -> Iterator[Change]:
    """The wrong solutions that somebody has written down, by their messages."""
    for wrong in exercise.wrong:
        part = next((text for target in exercise.targets if wrong.old in (text := definition_text(source, target))), "")
        sentence = whole_sentence(wrong.message, exercise.tests)
        if part and is_cause(sentence):
            start = len(source[: source.index(part) + part.index(wrong.old)].encode())
            yield Change(sentence, start, start + len(wrong.old.encode()), wrong.new.encode())


KINDS: tuple[Callable[[ast.AST, Text], Iterator[tuple[str, str]]], ...] = (
    numbers.signs_and_terms,
    calls.functions,
    calls.axes,
    choices.losses,
    names.exchanged,
    steps.cases,
    numbers.constants,
    order.brackets,
    order.early,
    order.moved,
)
"""A node → what may stand in its place, and the sentence for it."""


def changes(source: str, targets: Sequence[str]) -> Iterator[Change]:
    """Every change of the targets' bodies, the likeliest kinds of mistakes first."""
    tree = parse(source)
    text = Text(source)
    bodies = [function for target in targets for _, function in functions(find(tree, target), target)]
    for kind in KINDS:
        for function in bodies:
            text.arguments = [argument.arg for argument in function.args.args if argument.arg != "self"]
            text.variables = assigned(function)
            text.counts = Counter(each.id for each in ast.walk(function) if isinstance(each, ast.Name))
            for node in nodes(statements(function)):
                for new, sentence in kind(node, text):
                    yield change(node, new, sentence, text)
    for swap, sentence in order.exchanged_steps(bodies):
        yield change(swap.first, swap, sentence, text)
    yield from everywhere(source, targets)


def assigned(function: ast.AST) -> list[str]:
    """The names that a function gives, each once, without its loops' and comprehensions' own."""
    given = [node.targets[0] for node in ast.walk(function) if isinstance(node, ast.Assign)]
    names = [name.id for target in given for name in ast.walk(target) if isinstance(name, ast.Name)]
    return list(dict.fromkeys(names))


def change(node: ast.AST, new: str, sentence: str, text: Text) -> Change:
    if isinstance(new, names.Swap):
        (start, between), (after, stop) = text.span(new.first), text.span(new.second)
        middle = text.data[between:after].decode()
        return Change(sentence, start, stop, f"{text(new.second)}{middle}{text(new.first)}".encode())
    return Change(sentence, *text.span(node), new.encode())


def nodes(roots: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """Expressions and statements, but for what only refuses impossible arguments."""
    for node in roots:
        if isinstance(node, ast.Raise) or is_check(node):
            continue
        yield node
        yield from nodes(list(ast.iter_child_nodes(node)))


def is_check(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and all(isinstance(inner, ast.Raise) for inner in node.body) and not node.orelse


def applied(source: str, made: Sequence[Change]) -> str:
    """The source with changes that lie apart."""
    data = source.encode()
    for change in sorted(made, key=lambda each: each.start, reverse=True):
        data = data[: change.start] + change.new + data[change.stop :]
    return data.decode()
