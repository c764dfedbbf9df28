"""Talk to a language model: one question, or a conversation.

    python -m lessons chat "What is the capital of France?"
    python -m lessons chat                       a conversation; Ctrl-D ends it
    python -m lessons chat --adapter DIR         with an adapter of peft/
    python -m lessons chat --train               teach it: --train --help
    python -m lessons chat --compare             techniques: --compare --help
    python -m lessons chat --preferences         DPO, GRPO: --preferences --help
    python -m lessons chat --temperature 0.7     drawn instead of greedy
    python -m lessons chat --four-bits           less memory, faster on a CPU

The model is SmolLM2 (`make smollm`), or --model: a .gguf file, or a Hugging
Face folder of a Llama, Mistral, Qwen2 or Qwen3 with its tokenizer.json. It runs
on a GPU where there is one. The answer goes to stdout, all else to stderr.
"""

import argparse
import sys
from pathlib import Path

import torch

from lessons.chat.answer import Answer, answer
from lessons.chat.comparing import command as comparing
from lessons.chat.comparing import search as searching
from lessons.chat.model import ChatModel, open_model
from lessons.chat.preferring import command as preferring
from lessons.chat.smollm import smollm_file
from lessons.chat.training import command as training
from lessons.language.message import in_language
from lessons.language.options import Options
from lessons.task.finetuning import prepared_base
from lessons.task.machine import set_threads
from peft import PeftModel
from quant import DirectQ4, LinearQ4


def main(arguments: list[str]) -> int:
    asked = {argument.split("=")[0] for argument in arguments}
    commands = {
        "--train": training.main,
        "--compare": comparing.main,
        "--search": searching.main,
        "--preferences": preferring.main,
    }
    for name, command in commands.items():
        if name in asked:
            return command(arguments)
    options = parse(arguments)
    set_threads()
    check_settings(options)
    chat = open_chat(options.model, options.adapter, options.four_bits, options.prepared)
    if options.question is not None:
        say(chat, [{"role": "user", "content": options.question}], options)
        return 0
    return converse(chat, options)


def open_chat(
    model: Path | None, adapter: Path | None = None, four_bits: bool = False, prepared: str | None = None
) -> ChatModel:
    """The model where the answer is made fastest. Raises what `open_model` and `PeftModel.from_pretrained` raise.

    `four_bits`   the weights of a GGUF stay as they are, read directly on a CPU; with an adapter or on a GPU they are decoded
                  for every product
    `prepared`    a technique that quantizes its base before it trains: its adapter fits no other
    """
    directly = adapter is None and not torch.cuda.is_available()
    packed = (DirectQ4 if directly else LinearQ4).from_blocks if four_bits else None
    chat = open_model(smollm_file() if model is None else model, packed, attention="fused")
    if prepared is not None:
        chat.model = prepared_base(prepared, chat.model)
    if adapter is not None:
        chat.model = PeftModel.from_pretrained(chat.model, adapter)
    chat.model.to("cuda" if torch.cuda.is_available() else "cpu")
    return chat


def converse(chat: ChatModel, options: argparse.Namespace) -> int:
    """Turn by turn, until the input ends. What cannot be answered is told, and is no part of the conversation."""
    messages: list[dict[str, str]] = []
    while True:
        try:
            line = input("> " if sys.stdin.isatty() else "")
        except EOFError:
            return 0
        asked = [*messages, {"role": "user", "content": line}]
        try:
            said = say(chat, asked, options)
        except ValueError as error:
            print(f"python -m lessons chat: {in_language(str(error))}", file=sys.stderr)
            continue
        if said.text.strip():
            messages = [*asked, {"role": "assistant", "content": said.text}]


def say(chat: ChatModel, messages: list[dict[str, str]], options: argparse.Namespace) -> Answer:
    """Answers, and shows the answer while it is made."""

    def show(text: str) -> None:
        print(text, end="", flush=True)

    said = answer(chat, messages, options.max_tokens, options.temperature, options.seed, show)
    print(flush=True)
    print(f"({in_language(said.told())})", file=sys.stderr)
    return said


def check_settings(options: argparse.Namespace) -> None:
    """Raises ValueError before a model is read."""
    if options.max_tokens < 1:
        raise ValueError(f"--max-tokens {options.max_tokens} must be at least 1")
    if not 0.0 <= options.temperature < float("inf"):
        raise ValueError(f"--temperature {options.temperature} must be at least 0; 0 takes the likeliest token")
    if options.question is not None and not options.question.strip():
        raise ValueError("the question is empty: ask something, or leave it out for a conversation")


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = Options("chat", __doc__)
    parser.add_argument("question", nargs="?", help="what to answer; without it, a conversation")
    parser.add_argument("--model", type=Path, metavar="DIR|FILE.gguf", help="another model than SmolLM2")
    parser.add_argument("--adapter", type=Path, metavar="DIR", help="an adapter that was saved on this model")
    parser.add_argument("--four-bits", action="store_true", help="a GGUF's weights stay in four bits, in bf16 products")
    parser.add_argument("--prepared", metavar="NAME", help="the base as this technique quantizes it (qlora, ...)")
    parser.add_argument("--temperature", type=float, default=0.0, help="above 0, tokens are drawn (default: 0)")
    parser.add_argument("--max-tokens", type=int, default=256, help="an answer's largest length (default: 256)")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn (default: 0)")
    return parser.parse_args(arguments)
