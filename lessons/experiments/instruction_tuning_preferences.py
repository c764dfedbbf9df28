"""Lesson 30: what DPO and GRPO add to a supervised adapter, of the kept run, asserted."""

from statistics import mean
from typing import Any

from lessons.chat.comparing.report import accuracy
from lessons.chat.preferring.kept import kept
from lessons.teaching import Values, claim, kept_claim

NOISE = 0.1
"""Twice the standard deviation √(p (1 - p) / n) of a share of about n = 100 items."""


@kept_claim
def kept_preferences() -> Values:
    """Of each arm the share that is exactly right; DPO's margin; GRPO's reward in its first steps and its last."""
    report = kept()
    values: Values = {name: report["run"][name] for name in ("dpo_steps", "grpo_steps")}
    values["supervised_steps"] = report["run"]["steps"]
    for task, arms in report["tasks"].items():
        for name, arm in arms.items():
            values[f"{task}_{name}"] = accuracy({**arm, "task": task})
            values[f"{task}_{name}_nats"] = arm["chat_nats"] - arms["untouched"]["chat_nats"]
    margins, rewards = (columns(report, *of) for of in (("sentiment", "dpo", "margin"), ("spelling", "grpo", "reward")))
    quarter = len(rewards) // 4
    values |= {"margin": mean(margins[-quarter:]), "silent": mean(columns(report, "spelling", "grpo", "silent_groups"))}
    values |= {"reward": mean(rewards[:quarter]), "reward_after": mean(rewards[-quarter:])}
    claim(values["margin"] > 0, "DPO follows the people", **values)
    for task, arm in (("sentiment", "dpo"), ("spelling", "grpo")):
        added = values[f"{task}_{arm}"] - values[f"{task}_longer"]
        claim(abs(added) < NOISE, f"what {arm} adds to as many further steps is within noise", added=added)
    return values


def columns(report: dict[str, Any], task: str, arm: str, column: str) -> list[float]:
    return [record[column] for record in report["tasks"][task][arm]["history"]]
