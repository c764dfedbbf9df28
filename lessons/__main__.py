"""The command line of the course: `python -m lessons [COMMAND]`.

A command is a function (arguments) → exit code, imported only when it is called.
"""

import importlib
import os
import sys
from collections.abc import Callable

from lessons.install.own_peft import require_own_peft
from lessons.install.packages import way_out
from lessons.language.choice import asked_for, speaking
from lessons.language.message import in_language
from lessons.language.words import say

STUDENT, TEACHER = "lessons.exercises.student", "lessons.exercises.teacher.commands"
EXERCISES, CHECKING = f"{STUDENT}.commands", f"{STUDENT}.checking"
COMMANDS = {
    "compare": (
        "lessons.compare.command:main",
        "the main job: fine-tune the base with every technique, table and report",
    ),
    "pronounce": ("lessons.task.pronounce:main", "say words in every accent that there is an adapter for"),
    "pretrain": ("lessons.task.pretrain:main", "train the base anew, from random weights"),
    "chat": ("lessons.chat.command:main", "talk to a language model that runs in these blocks"),
    "benchmark": ("lessons.benchmark.command:main", "the CMU dictionary, beside the figures of other models"),
    "sentiment": ("lessons.sentiment.command:main", "fine-tune a real sentence encoder to tell good from bad"),
    "prefer": (
        "lessons.preferences.prefer:main",
        "judge pairs of pronunciations yourself, and train on your judgements",
    ),
    "search": ("lessons.compare.search:main", "find the learning rate of each technique"),
    "rlhf": (
        "lessons.preferences.command:main",
        "learn from preferences: reward model, PPO, DPO, GRPO, and a hacked reward",
    ),
    "site": ("lessons.site.command:main", "the course as a site that opens from disk"),
    "page": ("lessons.page.command:main", "one HTML page: type a word, choose a technique, slide its strength"),
    "translate": ("lessons.translate.command:main", "the course in Chinese: update, check, status, build"),
    "amounts": ("lessons.compare.amounts:main", "a few techniques on 100, 1,000 and 10,000 words"),
    "memory": ("lessons.memory.command:main", "how much memory fine-tuning a large model takes"),
    "clinic": (
        "lessons.clinic.command:main",
        "why is my fine-tune silently wrong? illnesses on purpose, and a diagnosis",
    ),
    "new-technique": (
        "lessons.new_technique.command:main",
        "begin a technique of your own: its file, its reference, its tests",
    ),
    "doctor": ("lessons.install.doctor:main", "check this installation"),
    "list": (f"{EXERCISES}:list_exercises", "every exercise and how it stands"),
    "next": (f"{EXERCISES}:next_exercise", "the exercise to do now"),
    "start": (f"{EXERCISES}:start", "write an exercise's stub into your workbook"),
    "check": (f"{CHECKING}:check", "grade your solution"),
    "hint": (f"{EXERCISES}:hint", "a hint, and then a larger one"),
    "solution": (f"{EXERCISES}:solution", "show the solution"),
    "reset": (f"{EXERCISES}:reset", "begin an exercise again"),
    "watch": (f"{CHECKING}:watch", "grade whenever a file is saved"),
    "milestone": (f"{STUDENT}.milestones:milestone", "a part's experiment, run on all that you have passed"),
    "release": (f"{TEACHER}:release", "for teachers: make the students' repository"),
    "grade": (f"{TEACHER}:grade", "for teachers: grade a folder of submissions, or a download of Moodle or Canvas"),
    "guide": (f"{TEACHER}:guide", "for teachers: how, a syllabus, and each exercise's usual mistakes"),
}
HELP = ("-h", "--help", "help")
OVERVIEW = f"{EXERCISES}:overview"


def main(arguments: list[str]) -> int:
    """Runs one command. 2: it could not be done, and stderr says why in one line; 130: stopped by Ctrl-C.

    `--lang zh` or `--lang en`, anywhere in it, chooses the language; without it, the environment does.
    """
    try:
        wanted, words = asked_for(arguments)
    except ValueError as error:
        print(f"python -m lessons: {error}", file=sys.stderr)
        return 2
    with speaking(wanted):
        return answer(words)


def answer(arguments: list[str]) -> int:
    for_overview = not arguments or arguments[0].startswith("--workbook")
    name, rest = ("", arguments) if for_overview else (arguments[0], arguments[1:])
    if name and name not in COMMANDS and name not in HELP:
        no_command = in_language(f"there is no command {name!r}")
        print(f"{no_command}\n\n{usage()}", file=sys.stderr)
        return 2
    try:
        code = run(name, rest)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # whoever read the output, `head` for one, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError, ImportError) as error:
        what_to_do = way_out(error) if isinstance(error, ImportError) else ""
        said = in_language(f"{error}{what_to_do}")
        print(f"{' '.join(['python -m lessons', name]).strip()}: {said}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(say("stopped"), file=sys.stderr)
        return 130


def run(name: str, rest: list[str]) -> int:
    if name in HELP:
        print(usage())
        return 0
    if name != "doctor":  # which says the same, and goes on
        require_own_peft()
    return find(COMMANDS[name][0] if name else OVERVIEW)(rest)


def find(place: str) -> Callable[[list[str]], int]:
    """The function at "module:function". Raises ImportError that says which file is not here."""
    module, _, function = place.partition(":")
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise ImportError(
            f"this installation lacks {module.replace('.', '/')}.py: update it, or use a clone"
        ) from error
    return getattr(found, function)


def usage() -> str:
    width = max(map(len, COMMANDS)) + 2
    lines = [f"  {name:<{width}}{say(what)}" for name, (_, what) in COMMANDS.items()]
    return "\n".join(
        [
            say("usage: python -m lessons [COMMAND] [--help] [--lang en|zh]"),
            "",
            f"  {'':<{width}}{say('without a command: the course, and where you are')}",
            *lines,
        ]
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
