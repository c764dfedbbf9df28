"""An answer, token by token: what the model says next is chosen, shown at once, and read by the model as it goes on.

    greedy where the temperature is 0, else  y_t ~ p^{1/temperature}

It ends with the end token, or is cut off: by `max_tokens`, or where the model's context ends.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from lessons.chat.model import ChatModel
from transformer.decoding.fast import more_than_weights
from transformer.decoding.generation import greedy
from transformer.decoding.sampling import sample


@dataclass(frozen=True)
class Answer:
    """`text`, of so many `tokens`, in `seconds`; `cut_off` says why it has no end, and is empty where it has one."""

    text: str
    tokens: int
    seconds: float
    cut_off: str

    def told(self) -> str:
        """The line below an answer."""
        rate = f"{self.tokens} tokens, {self.tokens / max(self.seconds, 1e-9):.1f} a second"
        return f"{rate}; {self.cut_off}" if self.cut_off else rate


def next_tokens(chat: ChatModel, prompt: Sequence[int], room: int, temperature: float, seed: int) -> Iterator[int]:
    """The answer's tokens, so many as there is room for; the end token is not given out."""
    device = next(chat.model.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    source = torch.tensor([list(prompt)], device=device)
    with torch.inference_mode():
        fast = chat.config.attention == "fused" and not more_than_weights(chat.model)
        tokens, next_logits = chat.model.decoding(source, 1, room, True, fast)
        for _ in range(room):
            logits = next_logits(tokens, None)
            chosen = sample(logits, temperature, generator=generator) if temperature else greedy(logits)
            if int(chosen) == chat.config.eos_id:
                return
            yield int(chosen)
            tokens = torch.cat([tokens, chosen[:, None]], dim=1)


def answer(
    chat: ChatModel,
    messages: Sequence[dict[str, str]],
    max_tokens: int = 256,
    temperature: float = 0.0,
    seed: int = 0,
    show: Callable[[str], object] = lambda text: None,
) -> Answer:
    """The assistant's next turn. `show` is called with each piece of text as soon as it is whole.

    Raises ValueError for a conversation that cannot be answered, and for settings that are impossible.
    """
    if max_tokens < 1 or not 0.0 <= temperature < float("inf"):
        raise ValueError(f"max_tokens {max_tokens} must be at least 1, and temperature {temperature} at least 0")
    prompt = chat.ids(messages)
    room = min(max_tokens, chat.config.max_length - len(prompt))
    ids: list[int] = []
    shown = ""
    begin = time.perf_counter()
    for token in next_tokens(chat, prompt, room, temperature, seed):
        ids.append(token)
        text = chat.text(ids).rstrip("\ufffd")  # a letter of several tokens waits for its last one
        if text.startswith(shown):
            show(text[len(shown) :])
            shown = text
    text = chat.text(ids)
    show(text[len(shown) :])
    cut_off = ""
    if len(ids) == room:
        limit = (
            f"--max-tokens {max_tokens}" if room == max_tokens else f"the context of {chat.config.max_length} tokens"
        )
        cut_off = f"cut off by {limit}"
    return Answer(text, len(ids), time.perf_counter() - begin, cut_off)
