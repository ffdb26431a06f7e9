"""The site as Sphinx builds it, without the notebooks' execution; skipped where it is missing."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dynamaze.common.registration import ENVIRONMENTS

from ..test_readme import ROOT, absolute_python_path, python_blocks

CHECKS = ("model", "values", "method")

NOTEBOOKS = sorted((ROOT / "docs" / "site" / "notebooks").glob("*.md"))


def test_site_builds_without_warnings(tmp_path: Path) -> None:
    for library in ("sphinx", "furo", "myst_nb"):
        pytest.importorskip(library, reason='pip install "dynamaze[docs]" builds the site')
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-D", "nb_execution_mode=off"]
    done = subprocess.run(
        [*command, "-d", str(tmp_path / "trees"), str(ROOT / "docs"), str(tmp_path / "html")],
        env={**os.environ, "PYTHONPATH": absolute_python_path()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for env_id in ENVIRONMENTS:
        assert (tmp_path / "html" / "environments" / f"{env_id}.html").is_file()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_has_cells_that_compile(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    cells = [block.partition("```")[0] for block in text.split("```{code-cell} ipython3\n")[1:]]
    assert len(cells) >= 5
    for cell in cells:
        kept = [line for line in cell.splitlines() if not line.startswith((":tags:", "%"))]
        compile("\n".join(kept), str(path), "exec")


def test_pages_are_all_in_contents() -> None:
    contents = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    folder = ROOT / "docs"
    pages = {
        path.relative_to(folder).with_suffix("").as_posix()
        for path in folder.rglob("*.md")
        if "_build" not in path.parts and path.parent.name != "environments"
    }
    listed = {line for line in contents.splitlines() if (folder / f"{line}.md").is_file()}
    assert pages - {"index"} - {page for page in pages if page.startswith("adaptation/")} == listed


def test_plugins_are_short_and_checked() -> None:
    blocks = [text for _, text in python_blocks(ROOT / "docs" / "extending.md")]
    classes = {
        node.name: text.splitlines()[node.lineno - 1 : node.end_lineno]
        for text in blocks
        for node in ast.parse(text).body
        if isinstance(node, ast.ClassDef)
    }
    assert len(classes) == 3
    for name, lines in classes.items():
        assert len([line for line in lines if line]) <= 20, name
        assert any(f"check_{kind}(" in text and name in text for kind in CHECKS for text in blocks)
