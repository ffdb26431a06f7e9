"""Links that work on the repository and on the site, and their check after the build."""

from __future__ import annotations

import os.path
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "site/contributing.md",
    "CHANGELOG.md": "site/changelog.md",
    "examples": "site/examples.md",
    "docs/environments": "environments.md",
    **dict.fromkeys(
        ("agents/dyna.py", "agents/linear", "agents/mapping", "agents/search"), "site/agents.md"
    ),
    **dict.fromkeys(("agents/learners", "agents/models"), "site/models.md"),
    "agents/planning": "site/planners.md",
    "agents/sb3": "site/api/sb3.md",
    "agents/values": "site/values.md",
    **{
        f"examples/{path.name}": f"site/examples.md#{path.stem}"
        for path in sorted((ROOT / "examples").glob("*.py"))
    },
}
"""Path in the repository -> page of the site that shows it."""

LINK = re.compile(r"(?<=\]\()([^)\s#]+)(#[^)\s]*)?(?=\))")


def file_text(name: str) -> str:
    """Return the text of a file of the repository with links relative to `docs/index.md`."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return LINK.sub(lambda found: _from(Path(name).parent, found), text)


def _from(folder: Path, found: re.Match[str]) -> str:
    """Return a link of a file in a folder as one that begins at the repository's root."""
    if urlsplit(found[1]).scheme:
        return found[0]
    return f"/{(folder / found[1]).as_posix()}{found[2] or ''}"


def for_site(text: str, docname: str) -> str:
    """Return the text of a page whose links to files of the repository lead to pages."""
    folder = (DOCS / f"{docname}.md").parent
    return LINK.sub(lambda found: _replaced(found, folder), text)


def _replaced(found: re.Match[str], folder: Path) -> str:
    target, anchor = found[1], found[2] or ""
    if urlsplit(target).scheme:
        return found[0]
    file = ROOT / target[1:] if target.startswith("/") else folder / target
    path = Path(os.path.normpath(file))
    name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else target
    page = PAGES.get(name, "")
    if page:
        path = DOCS / page
        anchor = anchor if "#" not in page else ""
    return f"{Path(os.path.relpath(path, folder)).as_posix()}{anchor}"


class _References(HTMLParser):
    """Anchors and local references of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.targets: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the anchor and the references of a tag."""
        given = dict(attrs)
        self.anchors |= {value for name in ("id", "name") if (value := given.get(name))}
        self.targets |= {value for name in ("href", "src") if (value := given.get(name))}


def check_build(app: Any, error: Exception | None) -> None:
    """Check that each local link of the pages leads to a file and an anchor that exist.

    Raises:
        ExtensionError: lists the links that do not.
    """
    from sphinx.errors import ExtensionError

    if error is None and app.builder.format == "html":
        dead = dead_links(Path(app.outdir))
        if dead:
            raise ExtensionError(f"{len(dead)} links lead nowhere: {'; '.join(dead)}")


def dead_links(folder: Path) -> list[str]:
    """Return "page: target" for each local link of a folder's pages without a file or anchor."""
    pages = {path: _references(path) for path in sorted(folder.rglob("*.html"))}
    return [
        f"{path.relative_to(folder)}: {target}"
        for path, page in pages.items()
        for target in sorted(page.targets)
        if not _exists(target, path, pages)
    ]


def _references(path: Path) -> _References:
    parser = _References()
    parser.feed(path.read_text(encoding="utf-8"))
    return parser


def _exists(target: str, path: Path, pages: dict[Path, _References]) -> bool:
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        return True
    file = Path(os.path.normpath(path.parent / unquote(parts.path))) if parts.path else path
    if file.is_dir():
        file /= "index.html"
    if not file.is_file():
        return False
    anchor = unquote(parts.fragment)
    return not anchor or file not in pages or anchor in pages[file].anchors
