"""Rendering a chat template. It is a program that comes with a model, so it runs in a process of its own, within bounds.

    its sandbox      Jinja's: attributes that begin with _, and whatever changes an object, are refused
    its process      0.7 s of processor time, 512 MB of memory, 8 MB of text

A sandbox alone stops no loop: 9 ** 9 ** 9 or a text of a billion characters are one operation each. This file is that
process's program too, and imports nothing of ours.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SECONDS, SECONDS_EACH = 0.7, 0.002  # of processor time: for all, and for each conversation
LONGEST_WAIT = 30  # seconds of a clock, where processor time cannot be bounded, or the machine is very busy
MEMORY, LONGEST_TEXT = 2**29, 2**23

Message = Mapping[str, str]


def render(
    template: str, conversations: Sequence[tuple[Sequence[Message], bool]], tokens: Mapping[str, str]
) -> list[str]:
    """The text of each conversation, all in one process.

    `conversations`   pairs (messages, whether the text goes on to where an answer begins)
    `tokens`          what the template may call bos_token, eos_token, ...

    Raises ValueError, in one line, for a template that is none, refuses a conversation, reaches for what it may not, or
    does not end within the bounds; ModuleNotFoundError without Jinja.
    """
    rows = [
        {"messages": [dict(one) for one in messages], "add_generation_prompt": begin}
        for messages, begin in conversations
    ]
    job = {"template": template, "conversations": rows, "tokens": dict(tokens)}
    command = [sys.executable, "-I", str(Path(__file__).resolve())]
    try:
        done = subprocess.run(
            command, input=json.dumps(job), capture_output=True, text=True, encoding="utf-8", timeout=LONGEST_WAIT
        )
    except subprocess.TimeoutExpired as error:
        raise ValueError(f"the chat template was stopped after {LONGEST_WAIT} s: it loops") from error
    if done.returncode < 0:
        raise ValueError(f"the chat template was stopped after {SECONDS:g} s of work: it loops, or repeats too much")
    if done.returncode:
        raise ValueError(f"the chat template could not be rendered: {' '.join(done.stderr.split())[-200:]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    if answer.get("missing"):
        raise ModuleNotFoundError(
            "the package `jinja2` is missing: `make smollm`, or `pip install jinja2`", name="jinja2"
        )
    if "error" in answer:
        raise ValueError(f"the chat template {' '.join(answer['error'].split())[:300]}")
    return list(answer["texts"])


def work() -> None:
    """What the process does: reads the job, says {"texts": [...]} or {"error": "..."}."""
    job = json.load(sys.stdin)
    try:
        import jinja2.ext
        import jinja2.sandbox
    except ModuleNotFoundError:
        print(json.dumps({"missing": True}))
        return
    set_bounds(SECONDS + SECONDS_EACH * len(job["conversations"]))
    try:
        answer: dict[str, Any] = {"texts": rendered(job)}
    except jinja2.sandbox.SecurityError as error:
        answer = {"error": f"reaches for what it may not: {error}"}
    except jinja2.TemplateSyntaxError as error:
        answer = {"error": f"is no Jinja template, line {error.lineno}: {error.message}"}
    except MemoryError:
        answer = {"error": f"asks for more than {MEMORY // 2**20} MB"}
    except RecursionError:
        answer = {"error": "calls itself without an end"}
    except Exception as error:  # whatever a template does wrong, it is the template's fault
        answer = {"error": f"does not take this conversation: {str(error) or type(error).__name__}"}
    print(json.dumps(answer))


def set_bounds(seconds: float) -> None:
    """Where the system can: the process is ended in the middle of whatever it does."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        import resource
    except ModuleNotFoundError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def rendered(job: dict[str, Any]) -> list[str]:
    """The texts, in an environment like the one that transformers renders in."""
    import jinja2.sandbox

    class Sandbox(jinja2.sandbox.ImmutableSandboxedEnvironment):
        def unsafe_undefined(self, obj: Any, attribute: str) -> Any:
            """Refused at once; Jinja's own would print nothing."""
            raise jinja2.sandbox.SecurityError(f"{attribute!r} of a {type(obj).__name__}")

    def raise_exception(message: str) -> None:
        raise ValueError(message)

    def tojson(value: Any, indent: int | None = None) -> str:
        return json.dumps(value, ensure_ascii=False, indent=indent)

    environment = Sandbox(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
    environment.filters["tojson"] = tojson
    template = environment.from_string(job["template"], globals={"raise_exception": raise_exception} | job["tokens"])
    texts, room = [], LONGEST_TEXT
    for row in job["conversations"]:
        text = ""
        for part in template.generate(row):
            text += part
            if len(text) > room:
                raise ValueError(f"its text has more than {LONGEST_TEXT} characters")
        room -= len(text)
        texts.append(text)
    return texts


if __name__ == "__main__":
    work()
