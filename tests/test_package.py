"""Tests of the package as a whole: distributions, cost of imports, no unsafe loading."""

from __future__ import annotations

import ast
import importlib
import os
import pkgutil
import re
import shutil
import subprocess
import sys
import tarfile
import time
import tomllib
import zipfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("envs", "agents", "distill", "benchmarks")
LINKS = {f"dynamaze/{package}" for package in PACKAGES}  # files where git makes no links
FOLDERS = ("", "app/", "common/", "viewer/")  # of `dynamaze/`, without the links to the packages


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def in_fresh_process(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Distributions(NamedTuple):
    """A build of a copy of the tree: its files, the archives, and the folder of the wheel's build.

    The copy and what is built of it have no symbolic links.
    """

    files: set[str]
    sdist: tarfile.TarFile
    wheel: zipfile.ZipFile
    unpacked: Path  # the source distribution, from which the wheel was built


EPOCH = 1_700_000_000
"""The time of every file of the build, in seconds since 1970."""

GENERATED = re.compile(r"PKG-INFO|setup\.cfg|dynamaze\.egg-info/.*")
"""Files that setuptools writes into a source distribution."""


def files_of_tree() -> set[str]:
    """Return the files that git would commit, without links, or those of an unpacked sdist."""
    if (ROOT / ".git").exists():
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        names = {*listed.stdout.split("\0")} - {""}
    else:
        sources = ROOT / "dynamaze.egg-info" / "SOURCES.txt"
        names = {*sources.read_text(encoding="utf-8").splitlines()}
    names = {name for name in names if not GENERATED.fullmatch(name)} - LINKS
    return {name for name in names if (ROOT / name).is_file()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Distributions]:
    """Build a source distribution of a copy of the tree, and a wheel of that."""
    folder = tmp_path_factory.mktemp("built")
    copy = folder / "copy"  # a build leaves a folder beside the sources
    files = files_of_tree()
    for name in files:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)  # with its mode, and today's time
        (copy / name).chmod((copy / name).stat().st_mode & 0o700)
    build("--sdist", copy)
    (sdist,) = folder.glob("*.tar.gz")
    # Gzip's header holds a time, too, as a little-endian number.
    assert int.from_bytes(sdist.read_bytes()[4:8], "little") == EPOCH
    with tarfile.open(sdist) as members:
        members.extractall(folder, filter="data")
        unpacked = folder / sdist.name.removesuffix(".tar.gz")
        build("--wheel", unpacked)
        (wheel,) = folder.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            yield Distributions(files, members, archive, unpacked)


def build(kind: str, folder: Path) -> None:
    """Build a distribution of a folder beside it."""
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", kind, "--outdir", "..", "."],
        cwd=folder,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_sdist_holds_exactly_the_tree(built: Distributions) -> None:
    found = {each.name.partition("/")[2] for each in built.sdist if each.isfile()}
    assert {name for name in found if not GENERATED.fullmatch(name)} == built.files
    assert {"CHANGELOG.md", "constraints.txt", "docs/film.py", "tests/conftest.py"} <= built.files


def test_wheel_holds_exactly_the_tree(built: Distributions) -> None:
    found = {name for name in built.wheel.namelist() if ".dist-info/" not in name}
    expected = {name for name in built.files if name.startswith("dynamaze/")}
    for package in PACKAGES:
        expected |= {f"dynamaze/{name}" for name in built.files if name.startswith(f"{package}/")}
    assert found == expected
    suffixes = {Path(name).suffix for name in found}
    assert suffixes == {".py", ".typed", ".c", ".txt", ".safetensors", ".toml"}


def test_distributions_have_no_trace_of_the_build(built: Distributions) -> None:
    """Two builds of the same files are byte-identical."""
    for member in built.sdist:
        assert (member.mtime, member.uid, member.gid, member.uname) == (EPOCH, 0, 0, "")
        runs = member.isdir() or member.name.endswith("/.ci/run")
        assert member.mode == (0o755 if runs else 0o644), member.name
    times = {each.date_time for each in built.wheel.infolist()}
    assert times == {time.gmtime(EPOCH)[:6]}
    names = built.wheel.namelist()
    assert all(name.startswith(("dynamaze/", "dynamaze-")) for name in names)


def test_wheel_build_leaves_no_file(built: Distributions) -> None:
    found = {each.name.partition("/")[2] for each in built.sdist if each.isfile()}
    files = [path for path in built.unpacked.rglob("*") if path.is_file()]
    assert {path.relative_to(built.unpacked).as_posix() for path in files} == found


def test_checkout_without_links_runs(built: Distributions) -> None:
    """Git makes files in place of the links where the system or its settings have none."""
    for link in LINKS:
        assert not (built.unpacked / link).exists()
    code = "from dynamaze import agents, benchmarks, distill, envs; print(envs.__file__)"
    done = subprocess.run(
        [sys.executable, "-B", "-c", code],
        cwd=built.unpacked,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert Path(done.stdout.strip()) == built.unpacked / "envs" / "__init__.py", done.stderr


def test_citation_repeats_the_project() -> None:
    """The version stands in one place, so that the citation has none."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / "CITATION.cff").read_text(encoding="utf-8").splitlines()
    for line in (
        "title: DynaMaze",
        f'abstract: "{project["description"]}"',
        f"license: {project['license']}",
    ):
        assert line in lines
    assert [line[4:] for line in lines[lines.index("keywords:") + 1 :]] == project["keywords"]
    assert not any(line.startswith("version:") for line in lines)


def test_hooks_and_workflow_run_the_same_checks() -> None:
    workflow = (ROOT / ".github" / "workflows" / "checks.yml").read_text(encoding="utf-8")
    assert re.findall(r"- run: (\S+)$", workflow, flags=re.M) == [".ci/run"]
    assert {*re.findall(r"(\w+)-latest", workflow)} == {"ubuntu", "macos", "windows"}
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    entries = [entry.split(" --")[0] for entry in re.findall(r"entry: (.+)", hooks)]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert entries == ["ruff format", "ruff check", "mypy"]
    for entry in entries:
        assert f"$(BIN)/{entry}" in makefile
    assert set(re.findall(r"repo: (.+)", hooks)) == {"local"}


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
