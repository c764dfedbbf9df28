"""A full run is kept whole, and only one that README may speak of."""

import json
from pathlib import Path
from typing import Any

import pytest

from lessons.compare.shipping import ship
from lessons.task.base import base_hash


def a_run(folder: Path, **changes: Any) -> Path:
    report = {
        "run": {"base": base_hash(), "test_words": "all"},
        "failed": [],
        "rows": [{"method": name, "seed": seed} for seed in range(2) for name in ("full", "lora", "scratch")],
    }
    for method in ("full", "lora", "scratch"):
        for seed in range(2):
            (folder / "adapters" / f"{method}-{seed}").mkdir(parents=True)
            (folder / "adapters" / f"{method}-{seed}" / "adapter_config.json").write_text(f"{method} {seed}")
    (folder / "errors.png").write_text("a figure")
    (folder / "report.json").write_text(json.dumps(report | changes))
    return folder


def test_report_figures_and_the_adapters_of_the_first_seed_are_kept(tmp_path: Path) -> None:
    results, adapters = tmp_path / "results", tmp_path / "british"
    results.mkdir()
    (adapters / "lora").mkdir(parents=True)
    (adapters / "lora" / "of_an_older_run").touch()

    assert ship(a_run(tmp_path / "run"), results, adapters) == ["lora"]

    assert {file.name for file in results.iterdir()} == {"report.json", "errors.png"}
    assert [(file.parent.name, file.read_text()) for file in adapters.glob("*/*")] == [("lora", "lora 0")]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"run": {"base": "another", "test_words": "all"}}, "of the base another, and the shipped one is"),
        ({"run": {"base": base_hash(), "test_words": 500}}, "tested on 500 words"),
        ({"failed": [{"method": "lora", "seed": 3}]}, r"failed: lora \(seed 3\)"),
    ],
)
def test_a_run_that_readme_may_not_speak_of_is_refused(changes: dict[str, Any], why: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=why):
        ship(a_run(tmp_path / "run", **changes), tmp_path, tmp_path)
    assert not (tmp_path / "lora").exists()
