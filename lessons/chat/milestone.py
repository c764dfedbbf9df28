"""What the language model says with the library's modules as they are imported now: with a student's, if theirs stand in.

With your RMSNorm, rotary positions, shared heads, gate and Q4_1 the model says Paris.
"""

from lessons.chat.answer import answer
from lessons.chat.model import open_model
from lessons.chat.smollm import smollm_file

QUESTION = "What is the capital of France?"


def says(question: str = QUESTION, max_tokens: int = 24) -> str:
    """SmolLM2's greedy answer, by the pages of transformer/ themselves and by none of their faster twins.

    Raises FileNotFoundError where `make smollm` did not run.
    """
    chat = open_model(smollm_file(), attention="math")
    return answer(chat, [{"role": "user", "content": question}], max_tokens).text
