"""Sphinx's settings. Everything that a page needs lies beside it: the site opens from disk."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

LANGUAGE = os.environ.get("SITE_LANGUAGE", "en")

project = {"en": "Fine-tuning, by hand", "zh": "从零手写微调"}[LANGUAGE]
author = "the finetune-by-hand authors"
copyright = author
language = {"en": "en", "zh": "zh_CN"}[LANGUAGE]
html_title = project
html_theme = "furo"
html_static_path = [str(Path(__file__).parent / "_static"), os.environ["SITE_STATIC"]]
html_css_files = ["site.css"]
html_js_files = ["sort.js"]
html_math_renderer = "mathml"
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_show_search_summary = False
"""A summary is fetched, and from disk nothing can be."""

extensions = ["myst_parser", "sphinx.ext.autodoc", "chinese", "formulas", "docstrings", "accessible"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_dmath_double_inline = True
myst_heading_anchors = 3
suppress_warnings = ["myst.header", "myst.xref_missing", "misc.highlighting_failure", "autodoc", "ref.python"]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_maximum_signature_line_length = 88
add_module_names = False
