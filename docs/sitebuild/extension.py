"""Sphinx extension: text that is generated while pages are read, links of both views, checks.

A line `<!-- generated: KIND ARGUMENT -->` of a page is replaced by Markdown (`GENERATORS`). The
pages of `docs/` are also read on the repository, where links lead to files; `links` changes those
that lead out of `docs/`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from . import api, links, pages
from .docstrings import as_rst, summary

MARKER = re.compile(r"^<!-- generated: (\w+) ?(.*?) -->$", flags=re.M)

GENERATORS: dict[str, Callable[[str], str]] = {
    "api": api.page,
    "examples": pages.examples,
    "file": links.file_text,
    "parts": pages.parts,
}
"""Kind of a marker -> function of its argument that returns Markdown."""


def read_source(app: Sphinx, docname: str, content: list[str]) -> None:
    """Replace the markers of a page, and its links out of `docs/`."""
    text = MARKER.sub(lambda found: GENERATORS[found[1]](found[2]), content[0])
    content[0] = links.for_site(text, docname)


def generated_pages(
    app: Sphinx, env: BuildEnvironment, added: Any, changed: Any, removed: Any
) -> Iterator[str]:
    """Yield the pages that depend on the sources, which are read in every build."""
    for docname in env.found_docs:
        if MARKER.search(Path(env.doc2path(docname)).read_text(encoding="utf-8")):
            yield docname


def process_docstring(
    app: Sphinx, kind: str, name: str, part: Any, options: Any, lines: list[str]
) -> None:
    """Replace the Markdown of a docstring, and that of an environment by a link to its page."""
    note = api.page_note(part)
    if kind == "data":  # exported from another module; autodoc has the docstring of its type
        lines[:] = as_rst(api.data_docstring(name))
    else:
        lines[:] = [summary(part), "", note] if note else as_rst(lines)


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the functions of this module."""
    app.connect("source-read", read_source)
    app.connect("env-get-outdated", lambda *given: list(generated_pages(*given)))
    app.connect("autodoc-process-docstring", process_docstring, priority=400)  # before napoleon
    app.connect("build-finished", links.check_build)
    return {"parallel_read_safe": True}
