"""Tests of the package as a whole: wheel, cost of imports, no unsafe loading."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import subprocess
import sys
import tarfile
import zipfile
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("envs", "agents", "distill", "benchmarks")
FOLDERS = ("", "app/", "common/", "viewer/")  # of `dynamaze/`, without the links to the packages


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def in_fresh_process(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def listed_files() -> list[str]:
    """Return the files of the repository, without links."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [ROOT / name for name in listed.stdout.split()]
    return [str(p.relative_to(ROOT)) for p in paths if p.is_file() and not p.is_symlink()]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a wheel and a source distribution."""
    folder = tmp_path_factory.mktemp("built")
    # A build leaves a folder beside the sources, so it is made of a copy.
    copy = folder / "copy"
    for name in listed_files():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes((ROOT / name).read_bytes())
    options = ["--sdist", "--wheel", "--no-isolation", "--outdir", str(folder)]
    subprocess.run(
        [sys.executable, "-m", "build", *options, str(copy)], check=True, capture_output=True
    )
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> set[str]:
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_source_distribution_holds_repository(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    of_repository = {".gitignore", ".ci/run"}
    assert {name.replace("\\", "/") for name in listed_files()} - held == of_repository
    assert "examples/quickstart.py" in held


def test_wheel_holds_exactly_the_tree(wheel: set[str]) -> None:
    expected = {"dynamaze/py.typed"}
    for name in FOLDERS:
        paths = (ROOT / "dynamaze" / name).glob("*.py")
        expected |= {f"dynamaze/{name}{path.name}" for path in paths}
    for package in PACKAGES:
        sources = [*modules(package), *(ROOT / package).rglob("*.c")]
        for pattern in ("*.safetensors", "*.txt"):
            sources += (ROOT / package).rglob(pattern)
        expected |= {f"dynamaze/{path.relative_to(ROOT).as_posix()}" for path in sources}
    assert wheel == expected


def packages() -> list[str]:
    """Return the names of our packages that have public names."""
    found = ["dynamaze", "dynamaze.viewer"]
    for package in PACKAGES:
        for path in (ROOT / package).rglob("__init__.py"):
            if "__all__" in path.read_text(encoding="utf-8"):
                found.append(f"dynamaze.{'.'.join(path.parent.relative_to(ROOT).parts)}")
    return sorted(found)


@pytest.mark.parametrize("name", packages())
def test_public_names_are_no_modules(name: str) -> None:
    """A module of a public name would take its place as soon as anything imports it."""
    package = import_module(name)
    modules = {info.name for info in pkgutil.iter_modules(package.__path__)}
    assert not modules & set(package.__all__)
    assert len(set(package.__all__)) == len(package.__all__)


def test_packages_are_not_importable_at_root() -> None:
    code = """
import sys, pkgutil, importlib, dynamaze
for name in ("envs", "agents", "distill", "benchmarks"):
    package = importlib.import_module("dynamaze." + name)
    for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(info.name)
print([name for name in ("envs", "agents", "distill", "benchmarks") if name in sys.modules])
"""
    assert in_fresh_process(code).strip() == "[]"


def test_import_loads_no_heavy_library() -> None:
    heavy = ("torch", "stable_baselines3", "numba", "pygame", "matplotlib", "rich", "tyro")
    code = f"import sys, dynamaze; print([n for n in {heavy!r} if n in sys.modules])"
    assert in_fresh_process(code).strip() == "[]"


def test_environment_loads_no_numba_or_pygame() -> None:
    code = """
import sys, gymnasium, dynamaze
env = gymnasium.make("DynaMaze-v0", render_mode="rgb_array")
env.reset(seed=0); env.step(0); env.render()
print([name for name in ("numba", "pygame", "torch", "matplotlib") if name in sys.modules])
"""
    assert in_fresh_process(code).strip() == "[]"


WRITES_FUNCTIONS = ROOT / "agents" / "core" / "kernels.py"
"""The module that writes functions with the arguments of others, for Numba; it reads no data."""


RUNNING = ROOT / "benchmarks" / "harness" / "running"

SENDS_RUNS = {
    RUNNING / "scheduler.py",
    RUNNING / "workers.py",
    ROOT / "distill" / "training" / "processes.py",
}
"""The modules that send runs from a driver to its own workers; nothing of it is in a file."""


def test_sources_load_no_pickle() -> None:
    forbidden = {"eval", "exec", "pickle", "cloudpickle", "dill", "marshal", "shelve", "joblib"}
    face = [path for name in FOLDERS for path in (ROOT / "dynamaze" / name).glob("*.py")]
    for paths in (face, *map(modules, PACKAGES)):
        for path in paths:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    if node.func.id == "eval" and path == WRITES_FUNCTIONS:
                        continue
                    assert node.func.id not in forbidden, f"{path}:{node.lineno}"
                if isinstance(node, ast.Import):
                    allowed = {"cloudpickle"} if path in SENDS_RUNS else set()
                    names = {a.name for a in node.names} - allowed
                    assert not names & forbidden, f"{path}:{node.lineno}"
                if isinstance(node, ast.ImportFrom):
                    assert node.module not in forbidden, f"{path}:{node.lineno}"
                if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                    assert isinstance(node.value, ast.Constant)
                    assert node.value.value is False, f"{path}:{node.lineno}"


@pytest.mark.parametrize("package", ["agents", "agents.sb3", "distill", "envs"])
def test_type_checkers_see_public_names(package: str) -> None:
    path = ROOT / package.replace(".", "/") / "__init__.py"
    imported = {
        alias.asname or alias.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert set(importlib.import_module(f"dynamaze.{package}").__all__) <= imported
