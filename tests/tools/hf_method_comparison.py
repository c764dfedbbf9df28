"""Hugging Face PEFT's own comparison of its methods, made small: one line for each of its results.

    git clone https://github.com/huggingface/peft
    python -m tests.tools.hf_method_comparison peft

writes lessons/results/hf_method_comparison.json from method_comparison/MetaMathQA/results of the clone's HEAD.
Llama-3.2-3B, 5,000 steps on MetaMathQA, accuracy on GSM8K; forgetting: nats per token on other text, less is better.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from transformer.learning.formats import write_json

RESULTS = "method_comparison/MetaMathQA/results"
KEPT = Path(__file__).resolve().parents[2] / "lessons" / "results" / "hf_method_comparison.json"


def git(repository: str, *arguments: str) -> str:
    return subprocess.run(["git", "-C", repository, *arguments], capture_output=True, text=True, check=True).stdout


def small(name: str, result: dict[str, Any]) -> dict[str, Any]:
    """The line of one result; its name is METHOD--EXPERIMENT.json."""
    method, _, experiment = name.removesuffix(".json").partition("--")
    trained, setting, last = (
        result["train_info"],
        result["run_info"]["train_config"],
        result["train_info"]["metrics"][-1],
    )
    return {
        "method": method,
        "experiment": experiment,
        "accuracy": round(last["test accuracy"], 5),
        "forgetting": round(last["forgetting"], 5) if last.get("forgetting") is not None else None,
        "memory_bytes": trained["accelerator_memory_max"],
        "seconds": round(trained["train_time"]),
        "trainable_parameters": trained["num_trainable_params"],
        "rate": setting["optimizer_kwargs"]["lr"],
        "seed": setting["seed"],
    }


def main(arguments: list[str]) -> int:
    (repository,) = arguments
    files = git(repository, "ls-tree", "--name-only", "HEAD", f"{RESULTS}/").splitlines()
    read = {
        Path(file).name: json.loads(git(repository, "show", f"HEAD:{file}")) for file in files if file.endswith(".json")
    }
    whole = {name: result for name, result in read.items() if result["train_info"]["status"] == "success"}
    about = {
        "origin": f"https://github.com/huggingface/peft, {RESULTS}",
        "commit": git(repository, "rev-parse", "HEAD").strip(),
        "licence": "Apache-2.0",
        "command": "python -m tests.tools.hf_method_comparison CLONE",
        "model": "meta-llama/Llama-3.2-3B",
        "task": "5,000 steps on MetaMathQA, accuracy on the test questions of GSM8K",
    }
    write_json(KEPT, about | {"rows": [small(name, whole[name]) for name in sorted(whole)]})
    print(f"{len(whole)} of {len(read)} results are in {KEPT}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
