"""The answer mask: a conversation's text in parts becomes ids, and of each is known whether it is learnt.

    parts   ("<user>color<end><assistant>", no)  ("colour<end>", yes)  ("\\n", no)
    ids      5      6    7    8                    9     7              10
    learnt   no     no   no   no                   yes   yes            no

A part is cut into tokens by itself. So an answer's tokens are those that the model itself would have to say after the
prompt; cut as a whole, a token could lie across the border.
"""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

Part = tuple[str, bool]
"""A piece of a conversation's text, and whether it is an answer."""


@runtime_checkable
class Tokenizer(Protocol):
    """What is asked of a tokenizer, as that of the `tokenizers` library answers it."""

    def encode(self, sequence: str, *, add_special_tokens: bool = True) -> Any:
        """Something with `.ids`, a list of ids. With special tokens, a begin or an end of its own stands around them."""


def encode_parts(tokenizer: Tokenizer, parts: Sequence[Part]) -> tuple[list[int], list[bool]]:
    """The ids of a conversation, and for each whether it belongs to an answer or its end.

    `tokenizer.encode(text, add_special_tokens=False).ids` gives a text's ids: the template has written all special tokens,
    and none is to be added. Each part is encoded by itself; one may be empty. An answer's text holds the token that ends it.
    Nothing is shifted here: True stands at the learnt token itself.
    """
    ids: list[int] = []
    mask: list[bool] = []
    for text, is_answer in parts:
        found = tokenizer.encode(text, add_special_tokens=False).ids
        ids += found
        mask += [is_answer] * len(found)
    return ids, mask
