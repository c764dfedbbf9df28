"""Formulas as MathML, which browsers draw themselves: no script, no font, nothing to fetch."""

import re
from typing import Any

from docutils import nodes  # type: ignore[import-untyped]
from docutils.utils.math.latex2mathml import tex2mathml  # type: ignore[import-untyped]

PLAINER = {
    r"\\[tdc]frac(\d)(\d)": r"\\frac{\1}{\2}",
    r"\\frac(\d)(\d)": r"\\frac{\1}{\2}",
    r"\\[tdc]frac": r"\\frac",
    r"\\dots\b": r"\\ldots",
    r"\\iff\b": r"\\Leftrightarrow",
    r"\\[bB]igg?[lr]?(?![a-zA-Z])": "",
    r"\\textbf\{": r"\\text{",
}
"""What TeX has and docutils has not, in words that it has."""


def as_mathml(formula: str, display: bool) -> str:
    """Raises ValueError that names the formula where it cannot be converted."""
    for pattern, plainer in PLAINER.items():
        formula = re.sub(pattern, plainer, formula)
    try:
        return str(tex2mathml(formula, as_block=display))
    except (SyntaxError, AttributeError, ValueError, TypeError, IndexError) as error:
        raise ValueError(f"no MathML for {formula!r}: {error}") from error


def visit_inline(self: Any, node: nodes.math) -> None:
    self.body.append(as_mathml(node.astext(), display=False))
    raise nodes.SkipNode


def visit_block(self: Any, node: nodes.math_block) -> None:
    self.body.append(f'<div class="formula">{as_mathml(node.astext(), display=True)}</div>')
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
