"""A conversation as text, and which of its tokens are the assistant's answers: the loss is taken on these alone.

    answer = after the text of all before it, up to and with the token that ends a turn

An answer begins where the conversation before it, rendered up to there, ends. A template that tells no end of a turn, or
that writes what came before differently once more follows, is refused: its mask would be wrong and no loss would show it.
The parts become ids in transformer/learning/answer_mask.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lessons.chat.render import Message, render
from lessons.chat.tokenizer import control_tokens
from transformer.learning.answer_mask import Part
from transformer.pretrained.gguf import Vocabulary

ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class ChatTemplate:
    """A model's template.

    `source`       in Jinja
    `vocabulary`   names the special tokens: the template may write them, no message may hold them
    """

    source: str
    vocabulary: Vocabulary

    @property
    def end(self) -> str:
        """The token that ends a turn. Raises ValueError where the model has none."""
        if self.vocabulary.eos_id is None:
            raise ValueError("the model's vocabulary names no end token: an answer would never end")
        return self.vocabulary.tokens[self.vocabulary.eos_id]

    def prompt(self, messages: Sequence[Message]) -> str:
        """The text after which the assistant speaks. Raises ValueError unless the last message is the user's."""
        check_conversation(messages, control_tokens(self.vocabulary))
        if messages[-1]["role"] != "user":
            raise ValueError("the last message is not the user's: there is nothing to answer")
        return render(self.source, [(messages, True)], self.names())[0]

    def parts(self, conversations: Sequence[Sequence[Message]]) -> list[list[Part]]:
        """Each conversation's whole text in parts, answers apart; all are rendered in one process.

        Raises ValueError for an empty or unordered conversation, one that does not end with an answer, and a template
        that cannot be masked.
        """
        control, wanted = control_tokens(self.vocabulary), []
        for messages in conversations:
            check_conversation(messages, control)
            if messages[-1]["role"] != "assistant":
                raise ValueError("the last message is not the assistant's: there is no answer to learn from")
            for index in answers(messages):
                wanted += [(messages[:index], True), (messages[: index + 1], False)]
        texts = iter(render(self.source, wanted, self.names()))
        return [
            self.cut(messages, [(next(texts), next(texts)) for _ in answers(messages)]) for messages in conversations
        ]

    def cut(self, messages: Sequence[Message], borders: Sequence[tuple[str, str]]) -> list[Part]:
        """`borders`: for each answer the text before it, and the text with it. The last one is the whole."""
        whole, at = borders[-1][1], 0
        parts: list[Part] = []
        for index, (before, after) in zip(answers(messages), borders):
            answer = after.removeprefix(before)
            if not after.startswith(before) or not whole.startswith(after):
                raise ValueError(
                    f"the chat template writes what comes before message {index + 1} differently once it is answered: "
                    "no mask can tell the answer"
                )
            if messages[index]["content"].strip() not in answer or self.end not in answer:
                raise ValueError(f"the chat template does not write message {index + 1} and {self.end} after it")
            stop = len(before) + answer.rindex(self.end) + len(self.end)
            parts += [(whole[at : len(before)], False), (whole[len(before) : stop], True)]
            at = stop
        return [*parts, (whole[at:], False)]

    def names(self) -> dict[str, str]:
        """What the template calls the special tokens."""
        known = self.vocabulary
        ids = {
            "bos_token": known.bos_id,
            "eos_token": known.eos_id,
            "pad_token": known.pad_id,
            "unk_token": known.unk_id,
        }
        return {name: known.tokens[id] for name, id in ids.items() if id is not None}


def answers(messages: Sequence[Message]) -> list[int]:
    return [index for index, message in enumerate(messages) if message["role"] == "assistant"]


def check_conversation(messages: Sequence[Message], control: Sequence[str]) -> None:
    """Raises ValueError unless user and assistant take turns, after a system message or none, and all say something."""
    if not messages:
        raise ValueError("the conversation is empty")
    for index, message in enumerate(messages):
        where = f"message {index + 1}"
        if set(message) != {"role", "content"} or not all(isinstance(value, str) for value in message.values()):
            raise ValueError(f"{where} must have a role and a content, both text; it has {sorted(message)}")
        role, before = message["role"], messages[index - 1]["role"] if index else None
        follows = {None: ("system", "user"), "system": ("user",), "user": ("assistant",), "assistant": ("user",)}[
            before
        ]
        if role not in follows:
            after = f"after {before!r}" if before else "at the beginning"
            raise ValueError(f"{where} is of {role[:40]!r} {after}; there may stand {' or '.join(follows)}")
        if not message["content"].strip():
            raise ValueError(f"{where} says nothing")
        if held := [token for token in control if token in message["content"]]:
            raise ValueError(f"{where} holds {held[0]}, which would end its turn or begin another: leave it out")
