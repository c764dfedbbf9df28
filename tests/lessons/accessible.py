"""The rules of axe-core on a page that is open: whether people who see, hear or move differently can use it."""

from typing import Any

import pytest

RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
}


def violations(tab: Any) -> list[str]:
    """What is against a rule: the rule, where, and what is wrong; a line for each place."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-core is not installed: pip install -e .[dev]"
    )
    found = axe.Axe().run(tab, options=RULES).response["violations"]
    return [
        f"{rule['id']} at {' '.join(map(str, node['target']))}: {node['failureSummary']}"
        for rule in found
        for node in rule["nodes"]
    ]
