"""A model that one can talk to: its weights, its tokenizer and its chat template, of a GGUF or of a Hugging Face folder.

chat = open_model("runs/smollm/SmolLM2-135M-Instruct.Q4_1.gguf")
chat.ids([{"role": "user", "content": "Hello"}])           the prompt's token ids
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lessons.chat.render import Message
from lessons.chat.template import ChatTemplate
from lessons.chat.tokenizer import make_tokenizer
from transformer import DecoderOnly, TransformerConfig
from transformer.pretrained import load_pretrained
from transformer.pretrained.gguf import Vocabulary, read_gguf
from transformer.pretrained.gguf.vocabulary import CONTROL, NORMAL
from transformer.pretrained.load import Packed, load_gguf

if TYPE_CHECKING:
    from tokenizers import Tokenizer


@dataclass
class ChatModel:
    """What a conversation needs. `model` is a DecoderOnly, or a PeftModel around one."""

    model: Any
    tokenizer: "Tokenizer"
    template: ChatTemplate

    @property
    def config(self) -> TransformerConfig:
        """The base's."""
        config: Any = self.model.config
        return config

    def ids(self, messages: Sequence[Message]) -> list[int]:
        """The conversation up to where the assistant speaks. Raises ValueError where no room is left for an answer."""
        ids: list[int] = self.tokenizer.encode(self.template.prompt(messages), add_special_tokens=False).ids
        if len(ids) >= self.config.max_length:
            raise ValueError(
                f"the conversation has {len(ids)} tokens, and the model reads {self.config.max_length}, its answer "
                "included: begin a new one, or say less"
            )
        return ids

    def text(self, ids: Sequence[int]) -> str:
        """What the tokens say; special ones say nothing."""
        return str(self.tokenizer.decode(list(ids)))


def open_model(path: str | Path, packed: Packed | None = None, **changes: Any) -> ChatModel:
    """The model in a .gguf file or in a Hugging Face folder; `packed` and `changes` as `load_pretrained` takes them.

    Raises FileNotFoundError or ValueError, in one line, for what is no language model with a tokenizer and a chat template.
    """
    path = Path(path)
    if path.suffix == ".gguf":
        file = read_gguf(path)
        if file.tokenizer is None or file.chat_template is None:
            raise ValueError(f"{path} has no tokenizer or no chat template: take a model that was trained to chat")
        template = ChatTemplate(file.chat_template, file.tokenizer)
        tokenizer = make_tokenizer(file.tokenizer)
        return ChatModel(load_gguf(file, packed, changes), tokenizer, template)
    if not path.exists():
        raise FileNotFoundError(f"there is no {path}: --model takes a folder with config.json, or a .gguf file")
    model = load_pretrained(path, packed, **changes)
    if not isinstance(model, DecoderOnly):
        raise ValueError(f"{path} holds a model of the kind {type(model).__name__}: chat needs one that continues text")
    tokenizer = read_tokenizer(path, model.config.vocab_size)
    return ChatModel(model, tokenizer, ChatTemplate(read_template(path), vocabulary_of(tokenizer, model.config)))


def read_tokenizer(folder: Path, vocab_size: int) -> "Tokenizer":
    """The folder's tokenizer.json. Raises ValueError for one that is none, or has more tokens than the model has rows."""
    from tokenizers import Tokenizer

    file = folder / "tokenizer.json"
    if not file.is_file():
        raise FileNotFoundError(f"there is no {file}: the model's tokenizer, as the library `tokenizers` writes it")
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises nothing more special
        raise ValueError(f"{file} is no tokenizer: {' '.join(str(error).split())[:200]}") from error
    highest = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)
    if not 0 <= highest < vocab_size:
        raise ValueError(f"{file} does not fit the model: its ids go up to {highest}, the model's to {vocab_size - 1}")
    return tokenizer


def read_template(folder: Path) -> str:
    """The folder's chat template, in a file of its own or in tokenizer_config.json. Raises ValueError where there is none."""
    own, settings = folder / "chat_template.jinja", folder / "tokenizer_config.json"
    if own.is_file():
        return own.read_text(encoding="utf-8")
    try:
        found = json.loads(settings.read_text(encoding="utf-8")).get("chat_template") if settings.is_file() else None
    except (ValueError, AttributeError) as error:
        raise ValueError(f"{settings} is not valid JSON: {error}") from error
    if not isinstance(found, str):
        raise ValueError(f"{folder} has no chat template: take a model that was trained to chat")
    return found


def vocabulary_of(tokenizer: "Tokenizer", config: TransformerConfig) -> Vocabulary:
    """What a template needs to know of the tokenizer: the special tokens by their names and ids."""
    names = {id: token for token, id in tokenizer.get_vocab(with_added_tokens=True).items()}
    special = {id for id, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    for name in ("bos_id", "eos_id"):
        if getattr(config, name) not in names:
            raise ValueError(
                f"the tokenizer does not fit the model: it has no token {getattr(config, name)}, its {name}"
            )
    return Vocabulary(
        model="",
        pre="",
        tokens=[names.get(id, f"<no token {id}>") for id in range(config.vocab_size)],
        kinds=[CONTROL if id in special else NORMAL for id in range(config.vocab_size)],
        merges=[],
        bos_id=config.bos_id,
        eos_id=config.eos_id,
        unk_id=None,
        pad_id=config.pad_id,
        add_bos=False,
    )
