"""Links of the repository's view on the site, and the check of a built site."""

from __future__ import annotations

from pathlib import Path

import pytest
from sitebuild.links import DOCS, PAGES, ROOT, dead_links, file_text, for_site


@pytest.mark.parametrize(
    ("docname", "link", "expected"),
    [
        ("guide", "../examples/own_model.py", "site/examples.md#own_model"),
        ("extending", "../examples", "site/examples.md"),
        ("guide", "../agents/models", "site/models.md"),
        ("extending", "../CONTRIBUTING.md#layout", "site/contributing.md#layout"),
        ("guide", "distillation.md#peers", "distillation.md#peers"),
        ("site/models", "../guide.md", "../guide.md"),
        ("guide", "https://example.org/a.md", "https://example.org/a.md"),
    ],
)
def test_link_leads_to_page(docname: str, link: str, expected: str) -> None:
    assert for_site(f"[text]({link})", docname) == f"[text]({expected})"


def test_file_outside_docs_has_links_from_root() -> None:
    text = file_text("README.md")
    assert "](docs/" not in text
    shown = for_site(text, "index")
    assert "](guide.md)" in shown
    assert "](learning.gif)" in shown


def test_pages_of_files_exist() -> None:
    for name, page in PAGES.items():
        assert (ROOT / name).exists(), name
        assert (DOCS / page.partition("#")[0]).exists(), page


def test_dead_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<p id="x"></p><a href="#x"></a><a href="#y"></a><a href="b.html#z"></a>'
        '<a href="b.html"></a><img src="c.png"/><a href="https://example.org/no"></a>'
    )
    (tmp_path / "b.html").write_text("")
    assert dead_links(tmp_path) == ["a.html: #y", "a.html: b.html#z", "a.html: c.png"]
