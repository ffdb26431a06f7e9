"""Layers: each folder imports only the folders that the table allows, and nothing in a circle."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

_MAZES = "envs/timing envs/mazes envs/rendering"
_ENVS = f"{_MAZES} envs/generation envs/observations"
_ALL_ENVS = f"{_ENVS} envs envs/changing envs/vector envs/continuous envs/loca"
_PARTS = "agents/core agents/learners agents/values agents/models agents/planning"
_SEARCH = "agents/search agents/search/mcts agents/search/trajectory_optimisation"
_ALL_AGENTS = f"{_PARTS} agents agents/linear agents/mapping {_SEARCH} agents/sb3 agents/checks"
_STUDENTS = "distill/core distill/students"
_COMPILED = "distill/export/common distill/export/compiled"
_EXPORT = f"{_COMPILED} distill/export/onnx_graph distill/export/c_source distill/export"
_ALL_DISTILL = (
    f"{_STUDENTS} distill/teachers distill/files distill/data distill distill/methods "
    f"distill/training {_EXPORT}"
)
_EVERYTHING = f"{_ALL_ENVS} {_ALL_AGENTS} {_ALL_DISTILL}"
_DISTILLATION = "benchmarks/distillation benchmarks/distillation/methods"
_STUDIES = f"benchmarks/adaptation benchmarks/studies benchmarks/studies/loca {_DISTILLATION}"
_STORED = "benchmarks/harness/analysis benchmarks/harness/store"
_RUNS = f"{_STORED} benchmarks/harness/reports benchmarks/harness/running"
_HARNESS = f"{_RUNS} benchmarks/harness/agent_runs benchmarks/harness"
_EXPERIMENTS = f"{_HARNESS} benchmarks/figures {_STUDIES}"

ALLOWED = {
    "dynamaze/common": "",
    # Environments
    "envs/timing": "",
    "envs/mazes": "envs/timing",
    "envs/rendering": "envs/timing envs/mazes",
    "envs/generation": _MAZES,
    "envs/observations": _MAZES,
    "envs": _ENVS,
    "envs/changing": "envs/timing envs",
    "envs/vector": f"{_ENVS} envs",
    "envs/continuous": f"{_ENVS} envs envs/vector",
    "envs/loca": f"{_ENVS} envs envs/vector envs/continuous",
    # Agents
    "agents/core": "",
    "agents/learners": "agents/core",
    "agents/values": "agents/core agents/learners",
    "agents/models": "agents/core agents/learners agents/values",
    "agents/planning": "agents/core agents/learners agents/values agents/models",
    "agents": _PARTS,
    "agents/linear": f"{_PARTS} agents",
    "agents/mapping": f"{_PARTS} agents",
    "agents/search": f"{_PARTS} agents",
    "agents/search/mcts": f"{_PARTS} agents agents/search",
    "agents/search/trajectory_optimisation": f"{_PARTS} agents agents/search",
    "agents/sb3": f"{_PARTS} agents",
    "agents/checks": _PARTS,
    # Distillation
    "distill/core": "",
    "distill/students": "distill/core",
    "distill/teachers": _STUDENTS,
    "distill": f"{_STUDENTS} distill/teachers distill/files distill/data",
    "distill/files": f"{_STUDENTS}",
    "distill/data": f"{_STUDENTS} distill/teachers",
    "distill/export/common": f"{_STUDENTS} distill/files",
    "distill/export/compiled": f"{_STUDENTS} distill/files distill/export/common",
    "distill/export/onnx_graph": f"{_STUDENTS} distill/files distill/export/common",
    "distill/export/c_source": f"{_STUDENTS} distill/files distill/export/common",
    "distill/export": f"{_STUDENTS} distill/files {_EXPORT}",
    "distill/methods": f"{_STUDENTS} distill/teachers distill/files distill/data distill/training",
    "distill/training": f"{_STUDENTS} distill/teachers distill/data distill",
    # Experiments do not know each other
    "benchmarks/harness/analysis": "",
    "benchmarks/harness/store": "benchmarks/harness/analysis",
    "benchmarks/harness/reports": _STORED,
    "benchmarks/harness/running": _STORED,
    "benchmarks/harness/agent_runs": f"{_EVERYTHING} benchmarks/harness/running",
    "benchmarks/harness": f"{_EVERYTHING} {_RUNS}",
    "benchmarks/figures": f"{_EVERYTHING} {_HARNESS}",
    "benchmarks/studies": f"{_EVERYTHING} {_HARNESS}",
    "benchmarks/studies/loca": f"{_EVERYTHING} {_HARNESS}",
    "benchmarks/adaptation": f"{_EVERYTHING} {_HARNESS}",
    "benchmarks/distillation": f"{_EVERYTHING} {_HARNESS}",
    "benchmarks/distillation/methods": f"{_EVERYTHING} {_HARNESS} benchmarks/distillation",
    "benchmarks/speed": f"{_EVERYTHING} {_EXPERIMENTS}",
    "benchmarks": "",
    # What a person sees
    "dynamaze": "dynamaze/app",
    "dynamaze/viewer": f"{_EVERYTHING} benchmarks/harness/agent_runs",
    "dynamaze/app": f"{_EVERYTHING} {_EXPERIMENTS} benchmarks/speed dynamaze/viewer",
}
"""Folder -> the folders, besides itself and `dynamaze/common`, from which it may import."""

PACKAGES = ("envs", "agents", "distill", "benchmarks")


def name_of(path: str) -> str:
    """The dotted name of a source file."""
    name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return name if name.split(".")[0] == "dynamaze" else f"dynamaze.{name}"


def sources() -> Iterator[str]:
    for top in ("dynamaze", *PACKAGES):
        for folder, _, files in os.walk(ROOT / top):  # links are not followed
            for file in sorted(files):
                if file.endswith(".py"):
                    yield (Path(folder) / file).relative_to(ROOT).as_posix()


MODULES = {name_of(path): path for path in sources()}


def imports(path: str) -> Iterator[str]:
    """Generate the files of ours that a file imports, inside functions too."""
    package = name_of(path).split(".")
    if not path.endswith("__init__.py"):
        package = package[:-1]
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names = [
                full if (full := f"{base}.{alias.name}") in MODULES else base
                for alias in node.names
            ]
        else:
            continue
        yield from (MODULES[name] for name in names if name in MODULES)


def is_face(path: str) -> bool:
    """Tell whether a file is the `__init__` of a package that re-exports its sub-packages."""
    return path.endswith("__init__.py") and path.count("/") == 1


def test_table_lists_every_folder() -> None:
    assert {os.path.dirname(path) for path in MODULES.values()} == set(ALLOWED)


@pytest.mark.parametrize("folder", ALLOWED)
def test_folder_imports_lower_layers_only(folder: str) -> None:
    allowed = {folder, "dynamaze/common", *ALLOWED[folder].split()}
    wrong = {
        f"{path} imports {imported}"
        for path in MODULES.values()
        if os.path.dirname(path) == folder and not is_face(path)
        for imported in imports(path)
        if os.path.dirname(imported) not in allowed and imported != "dynamaze/__init__.py"
    }
    assert not wrong, "\n".join(sorted(wrong))


def test_table_has_no_circle() -> None:
    remaining = {folder: set(allowed.split()) - {folder} for folder, allowed in ALLOWED.items()}
    while remaining:
        lowest = {folder for folder, above in remaining.items() if not above & remaining.keys()}
        assert lowest, f"these import each other: {sorted(remaining)}"
        for folder in lowest:
            del remaining[folder]


def test_packages_import_each_other_by_full_name() -> None:
    for path in MODULES.values():
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            at_root = {name for name in names if name.split(".")[0] in PACKAGES}
            assert not at_root, f"{path} imports {at_root} at the root"


def test_wrong_import_names_both_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ALLOWED, "envs/generation", "")
    with pytest.raises(AssertionError, match=r"envs/generation/\w+\.py imports envs/mazes/\w+\.py"):
        test_folder_imports_lower_layers_only("envs/generation")


def test_one_module_of_envs_imports_stable_baselines3() -> None:
    found = {
        path
        for path in MODULES.values()
        if path.startswith("envs/")
        and "stable_baselines3" in (ROOT / path).read_text(encoding="utf-8")
    }
    assert found == {"envs/vector/sb3.py"}
