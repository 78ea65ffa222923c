"""Sphinx's settings: the pages of this folder as a site, `make docs`."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

import docstrings
import site_pages
from sphinx.application import Sphinx

import nnpal

project = "nnpal"
author = "nnpal developers"
copyright = "nnpal developers, GPL-2.0-or-later"
version = release = nnpal.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
root_doc = "index"
# what is not a page: examples and notebooks, from which site_pages makes pages
exclude_patterns = ["_build", "examples", "notebooks"]

# anchors of headings as on the repository's site
myst_heading_anchors = 5
myst_enable_extensions = ["dollarmath"]
# what stands on a page is no option of Sphinx: arrows and Greek letters are written as they are
smartquotes = False

autodoc_typehints = "signature"
autoclass_content = "both"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
# of settings, how pydantic validates them
autodoc_default_options = {"exclude-members": "model_config"}
# pages of the interface would fill the navigation with hundreds of names
toc_object_entries = False
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_attr_annotations = False
# names that share a line stay together
napoleon_custom_sections = [("Arguments", "params_style"), ("Attributes", "params_style")]

html_theme = "furo"
html_title = f"nnpal {version}"
html_static_path = ["style"]
html_css_files = ["site.css"]
html_theme_options = {"navigation_with_keys": True}

highlight_language = "none"

# What lies outside of docs/ and is no file to download: the page that has it here
ELSEWHERE = {
    "../README.md": "index.rst",
    "../CONTRIBUTING.md": "generated/contributing.md",
    "../CHANGELOG.md": "generated/changelog.md",
    "../lammps_inputs": "generated/scripts.md",
    "../lammps_inputs/README.md": "generated/scripts.md",
    "../benchmarks/README.md": "generated/benchmarks.md",
    "../benchmarks/results": "generated/benchmarks.md",
    "examples": "generated/examples.md",
    "examples/results": "generated/examples.md",
}


def adapt(app: Sphinx, name: str, source: list[str]) -> None:
    """Lead links that leave this folder to the pages of the site, and say nothing that Sphinx has no word for.

    A page in docs/ is written for the repository's site; generated/ and api/ lie one folder deeper.
    """
    depth = name.count("/")

    def moved(match: re.Match[str]) -> str:
        target, mark, anchor = match[1].partition("#")
        here = os.path.normpath(os.path.join(os.path.dirname(name), target))
        page = ELSEWHERE.get(here)
        return match[0] if page is None else f"]({'../' * depth}{page}{mark if page.endswith('.md') else ''}{anchor})"

    text = re.sub(r"\]\((?!https?:|#)([^)\s]+)\)", moved, source[0])
    text = re.sub(r"^#### \[", "### [", text, flags=re.M)  # headings of tables of keys skip a level
    source[0] = text.replace("```lammps\n", "```text\n")  # LAMMPS's input language has no lexer


def setup(app: Sphinx) -> None:
    app.connect("builder-inited", lambda _: site_pages.write(DOCS))
    app.connect("source-read", adapt)
    app.connect("autodoc-process-docstring", docstrings.escape, priority=400)
    app.connect("autodoc-process-signature", docstrings.shorten)
