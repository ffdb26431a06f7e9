"""Docstrings as Markdown for pages, and as reStructuredText for autodoc.

The docstrings are Google style with Markdown inside: code between single backticks, indented
blocks, tables with pipes, and headings with `##` where a page is made of them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

SECTIONS = re.compile(r"^(Args|Attributes|Raises|Returns|Yields|Warns):$", flags=re.M)

CODE = re.compile(r"(`[^`]+`)")
"""Splits a line into text and code."""


def description(part: Any) -> str:
    """Return a docstring up to its first section, without examples."""
    blocks = SECTIONS.split(inspect.getdoc(part) or "")[0].split("\n\n")
    is_example = ["from dynamaze" in block for block in blocks]
    # the rest of an example stands in indented blocks after its imports
    kept = [
        block
        for number, block in enumerate(blocks)
        if not (block.startswith("    ") and any(is_example[: number + 1]))
    ]
    return "\n\n".join(kept).strip()


def summary(part: Any) -> str:
    """Return the first paragraph of a docstring."""
    return " ".join((inspect.getdoc(part) or "").split("\n\n")[0].split())


def module_text(part: Any) -> str:
    """Return the docstring of a part's module without its first paragraph, "" if that is all."""
    _, _, text = (inspect.getdoc(inspect.getmodule(part)) or "").partition("\n\n")
    return text


def as_rst(lines: list[str]) -> list[str]:
    """Return the lines of a docstring with its Markdown replaced by reStructuredText."""
    return list(_blocks(lines))


def _blocks(lines: list[str]) -> Iterator[str]:
    position = 0
    while position < len(lines):
        line = lines[position]
        if line.lstrip().startswith("|"):
            rows = _while(lines, position, lambda each: each.lstrip().startswith("|"))
            yield from _table(rows)
            position += len(rows)
        elif _begins_code(lines, position):
            rows = _while(lines, position, lambda each: not each or each.startswith("    "))
            yield from _literal(rows)
            position += len(rows)
        elif line.startswith("## "):
            yield from (f".. rubric:: {line[3:]}", "")
            position += 1
        else:
            yield _escaped(line)
            position += 1


def _while(lines: list[str], position: int, holds: Any) -> list[str]:
    end = position
    while end < len(lines) and holds(lines[end]):
        end += 1
    return lines[position:end]


def _begins_code(lines: list[str], position: int) -> bool:
    """Return True for an indented line after an empty one that belongs to no list or section."""
    if not lines[position].startswith("    ") or position == 0 or lines[position - 1]:
        return False
    before = next((line for line in reversed(lines[:position]) if line), "")
    return bool(before) and before[0] not in " -*" and not SECTIONS.match(before)


def _literal(rows: list[str]) -> list[str]:
    language = "python" if any("import " in row or " = " in row for row in rows) else "text"
    return [f".. code-block:: {language}", "", *rows, ""]


def _table(rows: list[str]) -> list[str]:
    """Return a Markdown table as a `list-table`."""
    indent = rows[0][: len(rows[0]) - len(rows[0].lstrip())]
    cells = [_cells(row) for row in rows if not re.fullmatch(r"[\s|:-]+", row)]
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in cells:
        lines += [
            f"   {'* ' if not number else '  '}- {_escaped(cell)}"
            for number, cell in enumerate(row)
        ]
    return ["", *(indent + line for line in lines), ""]


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().strip("|").split("|")]


def _escaped(line: str) -> str:
    """Return a line whose text outside code has no markup of reStructuredText."""
    return "".join(
        part if part.startswith("`") and len(part) > 1 else _escaped_text(part)
        for part in CODE.split(line)
    )


def _escaped_text(text: str) -> str:
    text = re.sub(r"(\|)|(?<=\w)_(?!\w)", lambda found: f"\\{found[0]}", text)
    # of `*args:` and `**ppo:`, names of arguments, napoleon takes care
    return re.sub(r"(?<=\S )\*(?=\S)|(?<=\w)\*(?=\w)", r"\\*", text)
