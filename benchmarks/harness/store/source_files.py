"""Source files behind a run: which modules count by their file, which by what is used of them."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Set
from functools import cache
from pathlib import Path

import dynamaze
from dynamaze.benchmarks.harness.store.description import sha256

PACKAGES = ("common", "envs", "agents", "distill")
"""Our packages that count as a whole."""

BENCHMARKS = "dynamaze.benchmarks."
_HARNESS = f"{BENCHMARKS}harness."
_AGENT_RUNS = f"{_HARNESS}agent_runs."
"""The folder of the harness whose modules count as a whole; of others what a trial reaches."""
ANALYSIS = f"{_HARNESS}analysis."
"""The folder of the harness whose classes count too; those of others are interfaces."""


@cache
def sources_digest() -> str:
    """Return a digest of all our sources of `PACKAGES`."""
    digest = hashlib.sha256()
    for package in PACKAGES:
        spec = importlib.util.find_spec(f"{dynamaze.__name__}.{package}")
        for place in (spec.submodule_search_locations if spec else None) or ():
            root = Path(place).resolve()
            paths = {
                path.relative_to(root).as_posix(): path
                for path in root.rglob("*.py")
                if not path.is_symlink()
            }
            for name, path in sorted(paths.items()):
                digest.update(f"{package}/{name} {_file_digest(path)}\n".encode())
    return digest.hexdigest()


def module_lines(modules: Set[str]) -> Iterator[str]:
    """Yield a line for each module and, in turn, for the modules that it imports."""
    waiting, seen = sorted(modules), set(modules)
    lines = set()
    while waiting:
        name = waiting.pop()
        line, imported = _module_line(name)
        lines.add(line)
        new = {each for each in imported if not is_library(each)} - seen
        seen |= new
        waiting.extend(new)
    yield from sorted(filter(None, lines))


def counts_as_whole(module: str | None) -> bool:
    """Tell whether a module counts by its file, not by what is used of it."""
    if module is None or module == "__main__" or is_harness(module):
        return False
    return _module_file(module) is not None


def is_harness(module: str) -> bool:
    """Tell whether a module shows, stores or moves results."""
    return module.startswith(_HARNESS) and not module.startswith(_AGENT_RUNS)


def _module_file(name: str) -> str | None:
    """Return the file of a module, "" if it is built in, or None if it is unknown."""
    if name in sys.builtin_module_names:
        return ""
    module = sys.modules.get(name)
    found = getattr(module, "__file__", None)
    if found is None:
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, AttributeError, ValueError):
            return None
        found = spec.origin if spec is not None and spec.has_location else None
    return found


def _module_line(name: str) -> tuple[str, Iterable[str]]:
    """Return a line that tells the state of a module, and the modules whose state counts, too."""
    top = name.partition(".")[0]
    if top == dynamaze.__name__:
        parts = name.split(".")
        if parts[1:2] != ["benchmarks"] or is_harness(name):
            return "", ()  # `sources_digest` has it, or it changes nothing
    if top in sys.stdlib_module_names:
        return "", ()
    if top != dynamaze.__name__ and is_library(name):
        return f"library {top} {getattr(sys.modules.get(top), '__version__', '')}", ()
    file = _module_file(name)
    if not file:
        return f"module {name}", ()
    path = Path(file)
    state = path.stat() if path.exists() else None
    return _file_line(name, path, (state.st_mtime_ns, state.st_size) if state else ())


@cache
def _file_line(name: str, path: Path, state: tuple[int, ...]) -> tuple[str, Iterable[str]]:
    """Return the line and the imports of a module's file, which is read once in each state."""
    imported = _imported_modules(name, path) if path.suffix == ".py" else ()
    return f"file {name} {_file_digest(path)}", imported


@cache
def _library_folders() -> tuple[Path, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return tuple({Path(sysconfig.get_path(name)).resolve() for name in names})


def is_library(name: str) -> bool:
    """Tell whether a module belongs to Python or to an installed library other than this one."""
    file = _module_file(name)
    if name.partition(".")[0] == dynamaze.__name__ or not file:
        return file == ""
    path = Path(file).resolve()
    return "site-packages" in path.parts or any(
        path.is_relative_to(folder) for folder in _library_folders()
    )


def _imported_modules(name: str, path: Path) -> set[str]:
    """Return the modules that a source file imports, as far as they can be found."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return set()
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    candidates: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            candidates |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            candidates |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return {each for each in candidates if each and _is_module(each)}


def _is_module(name: str) -> bool:
    if name.partition(".")[0] in sys.stdlib_module_names:
        return False
    return name in sys.modules or _module_file(name) is not None


def _file_digest(path: Path) -> str:
    """Return the digest of a source; the same on systems with other ends of lines."""
    try:
        content = path.read_bytes()
    except OSError:
        return ""
    return sha256(content.replace(b"\r\n", b"\n") if path.suffix == ".py" else content)
