"""Markdown of the generated pages: a section for each part, and the examples."""

from __future__ import annotations

import ast
import os.path
from pathlib import Path

from .docstrings import description, module_text
from .links import LINK, ROOT
from .parts import KINDS, Kind, Part, slug
from .tables import FoundTable, rows_about


def parts(kind: str) -> str:
    """Return a section for each part of a kind.

    The text of a module is shown with the first part of the module; others link to it.
    """
    first: dict[str, str] = {}
    return "\n\n".join(_section(kind, part, first) for part in KINDS[kind].find())


def _section(kind: str, part: Part, first: dict[str, str]) -> str:
    title = _title(KINDS[kind], part)
    blocks = [f"## {title}", description(part.described)]
    if text := module_text(part.described):
        shown = first.setdefault(part.described.__module__, title)
        blocks.append(text if shown == title else f"See also [{shown}](#{slug(shown)}).")
    blocks.append(f"```python\n{part.example}```")
    blocks += [_found(table) for table in rows_about(kind, part.name)]
    if part.path:
        blocks.append(f"Arguments and errors: {{py:class}}`{part.path}`.")
    return "\n\n".join(blocks)


def _title(kind: Kind, part: Part) -> str:
    return f'`{kind.argument}="{part.name}"`' if kind.argument else f"`{part.name}`"


def _found(table: FoundTable) -> str:
    """Return rows of a stored table with a link to the section that it is from."""
    columns = table.header.count("|") - 1
    lines = [table.header, "|" + " --- |" * columns, *table.rows]
    target = f"../{table.document}#{slug(table.heading)}"
    text = "\n".join(lines)
    return f"From [{table.heading}]({target}):\n\n{_rebased(text, table.document)}"


def _rebased(text: str, document: str) -> str:
    """Return text of a document of `docs/` with links that begin at the repository's root."""
    folder = Path("docs", document).parent
    return LINK.sub(lambda found: f"/{os.path.normpath(folder / found[1])}{found[2] or ''}", text)


def examples(argument: str) -> str:
    """Return a section for each script of `examples/`, which is shown verbatim."""
    return "\n\n".join(_example(path) for path in sorted((ROOT / "examples").glob("*.py")))


def _example(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    include = f"```{{literalinclude}} ../../examples/{path.name}\n:language: python\n```"
    return f"({path.stem})=\n## {path.name}\n\n{text}\n\n{include}"
