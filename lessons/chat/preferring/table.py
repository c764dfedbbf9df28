"""What the continuations came to: a line for each, in figures that the comparison has too."""

from collections.abc import Mapping, Sequence
from typing import Any

from lessons.chat.comparing.report import GROUPS, accuracy

NAMES = {
    "untouched": "the model, untouched",
    "supervised": "supervised",
    "longer": "... and as many further steps of it",
    "dpo": "... and DPO on people's preferences",
    "grpo": "... and GRPO on the rule",
}


def lines_of(arms: Mapping[str, Any], task: str) -> list[list[str]]:
    """Of a task: the share that is exactly right by kind or domain and in the mean, and what is forgotten, in nats."""
    head = [task, *GROUPS[task], "mean", "English, nats", "chat, nats"]
    return [head, *(line(name, arm, arms["untouched"], task) for name, arm in arms.items())]


def line(name: str, arm: Mapping[str, Any], untouched: Mapping[str, Any], task: str) -> list[str]:
    scores = arm["scores"]
    cells = [f"{100 * scores[group]['exact']:.0f}" if group in scores else "–" for group in GROUPS[task]]
    cells.append(f"{100 * accuracy({**arm, 'task': task}):.0f}")
    same = arm is untouched
    nats = [f"{arm[what] - (0 if same else untouched[what]):{'' if same else '+'}.2f}" for what in COSTS]
    return [NAMES[name], *cells, *nats]


COSTS: Sequence[str] = ("english_nats", "chat_nats")


def told(name: str, arm: Mapping[str, Any]) -> str:
    """What its own measure came to, from the first step to the last."""
    first, last = arm["history"][0], arm["history"][-1]
    if name == "dpo":
        return (
            f"DPO: margin {first['margin']:.2f} → {last['margin']:.2f}; log-ratio of the chosen label "
            f"{last['chosen_log_ratio']:+.2f} nats, of the other {last['rejected_log_ratio']:+.2f}"
        )
    rewards = [record["reward"] for record in arm["history"]]
    quarter = max(1, len(rewards) // 4)
    return (
        f"GRPO: reward {sum(rewards[:quarter]) / quarter:.2f} in the first quarter of the steps, "
        f"{sum(rewards[-quarter:]) / quarter:.2f} in the last; KL {last['kl']:.2f} nats an answer"
    )
