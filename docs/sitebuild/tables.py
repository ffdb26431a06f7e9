"""Rows of the stored tables of results that are about one part."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).parents[1]

DOCUMENTS = {
    "agents": ("results.md", "adaptation/README.md"),
    "models": ("adaptation/README.md",),
    "planners": ("results.md", "adaptation/README.md"),
    "values": (),
    "students": ("results.md",),
    "methods": ("distillation.md",),
}
"""Kind of parts -> documents whose tables have rows about them, where they are stored."""

LABELS = {
    "QLearning": r"Q-learning",
    "DynaQ": r"Dyna-Q(?![+,])",
    "DynaQPlus": r"Dyna-Q\+",
    "MapExplorer": r".*\(`?MapExplorer`?\)",
    "TreeSearch": r"tree search",
    "value_iteration": r"(value iteration network|`builtin:value_iteration`)",
    "map_value_iteration": r"`builtin:map_value_iteration`",
    "conv": r"convolution",
    "dynamic_programming": r"(dynamic programming|certainty equivalence)",
}
"""Part -> expression for the first cell of its rows, where that is not its name."""


class FoundTable(NamedTuple):
    """A table of a document with the rows that are about a part."""

    document: str
    heading: str
    header: str
    rows: tuple[str, ...]


def rows_about(kind: str, name: str) -> list[FoundTable]:
    """Return the tables with rows about a part, with those rows alone."""
    plain = re.escape(name.replace("_", " "))
    default = rf"`{re.escape(name)}`"
    if kind != "methods":
        default += rf"|(?:Dyna-Q, )?{plain}\b"
    about = re.compile(rf"\| (?:{LABELS.get(name, default)})", flags=re.I)
    found = [
        table._replace(rows=tuple(row for row in table.rows if about.match(row)))
        for document in DOCUMENTS[kind]
        for table in tables_of(document)
    ]
    return [table for table in found if table.rows]


@cache
def tables_of(document: str) -> tuple[FoundTable, ...]:
    """Return the tables of a document of `docs/`, none if it is not stored.

    Of the adaptation suite it is the first one, over all settings; cards have the others.
    """
    path = DOCS / document
    if not path.exists():
        return ()
    found = tuple(_tables(path.read_text(encoding="utf-8"), document))
    return found[:1] if document.startswith("adaptation/") else found


def _tables(text: str, document: str) -> Iterator[FoundTable]:
    heading = ""
    for block in text.split("\n\n"):
        lines = block.strip().splitlines()
        for line in lines:
            heading = line.lstrip("# ") if line.startswith("#") else heading
        rows = [line for line in lines if line.startswith("|")]
        if len(rows) > 2:
            yield FoundTable(document, heading, rows[0], tuple(rows[2:]))
