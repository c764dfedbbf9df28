"""Conversations as texts to learn from: the template's text in tokens, of which the answers and their ends are learnt."""

import json
from collections.abc import Sequence
from pathlib import Path

from lessons.chat.model import ChatModel
from lessons.chat.render import Message
from transformer.learning.answer_mask import encode_parts
from transformer.learning.reading import as_object, parse_json
from transformer.learning.texts import Text


def texts_of(chat: ChatModel, conversations: Sequence[Sequence[Message]]) -> list[Text]:
    """Each conversation's ids, and which are learnt. Raises ValueError for one that is longer than the model reads."""
    found = [encode_parts(chat.tokenizer, parts) for parts in chat.template.parts(conversations)]
    for number, (ids, _) in enumerate(found):
        if len(ids) > chat.config.max_length:
            raise ValueError(
                f"conversation {number + 1} has {len(ids)} tokens; the model reads {chat.config.max_length}"
            )
    return [(up_to_the_last(ids, learnt)) for ids, learnt in found]


def up_to_the_last(ids: list[int], learnt: list[bool]) -> Text:
    """Nothing is read behind the last learnt token."""
    end = len(learnt) - learnt[::-1].index(True)
    return ids[:end], learnt[:end]


def read_conversations(path: Path) -> list[list[Message]]:
    """The lines of a file, {"messages": [{"role": ..., "content": ...}, ...]} each. Raises ValueError that names the line."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    conversations = []
    for number, line in enumerate(lines, start=1):
        what = f"{path}, line {number}"
        messages = as_object(parse_json(line, what, 'it must hold {"messages": [...]}'), what).get("messages")
        if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
            raise ValueError(f'{what} needs "messages", a list of {json.dumps({"role": "user", "content": "..."})}')
        conversations.append(messages)
    if not conversations:
        raise ValueError(f"{path} holds no conversation")
    return conversations
