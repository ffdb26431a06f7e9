"""The house: what is packed, what imports what, and what an import costs."""

from __future__ import annotations

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
WINGS = ("envs", "agents", "distill", "benchmarks")
ALLOWED = {
    "envs": set(),
    "agents": set(),
    "distill": {"agents"},
    "benchmarks": {"envs", "agents", "distill", "benchmarks"},
}
FACE = {"common"}
"""The folder beside the wings that every wing may use."""
FOLDERS = ("", "app/", "common/", "viewer/")
"""Those of `dynamaze/` that are no wings."""


def modules(wing: str) -> list[Path]:
    return sorted((ROOT / wing).rglob("*.py"))


def in_fresh_process(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    # A build leaves a folder beside the sources, so it is made of a copy.
    copy = folder / "copy"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.split():
        source = ROOT / name
        if source.is_file() and not source.is_symlink():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes(source.read_bytes())
    subprocess.run([*build, str(copy)], check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_the_wheel_holds_exactly_the_tree(wheel: set[str]) -> None:
    expected = {"dynamaze/py.typed"}
    for name in FOLDERS:
        paths = (ROOT / "dynamaze" / name).glob("*.py")
        expected |= {f"dynamaze/{name}{path.name}" for path in paths}
    for wing in WINGS:
        sources = [*modules(wing), *(ROOT / wing).rglob("*.c")]
        expected |= {f"dynamaze/{path.relative_to(ROOT).as_posix()}" for path in sources}
    assert wheel == expected


@pytest.mark.parametrize("wing", WINGS)
def test_a_wing_imports_only_what_the_design_allows(wing: str) -> None:
    for path in modules(wing):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            for name in names:
                first, *rest = name.split(".")
                assert first not in WINGS, f"{path}: import {name} at the root"
                if first == "dynamaze" and rest:
                    assert rest[0] in ALLOWED[wing] | FACE, f"{path} imports {name}"


def test_nothing_called_envs_lands_beside_the_package() -> None:
    code = """
import sys, pkgutil, importlib, dynamaze
for wing in ("envs", "agents", "distill", "benchmarks"):
    package = importlib.import_module("dynamaze." + wing)
    for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(info.name)
print([name for name in ("envs", "agents", "distill", "benchmarks") if name in sys.modules])
"""
    assert in_fresh_process(code).strip() == "[]"


def test_import_dynamaze_loads_nothing_heavy() -> None:
    heavy = ("torch", "stable_baselines3", "numba", "pygame", "matplotlib", "rich", "tyro")
    code = f"import sys, dynamaze; print([n for n in {heavy!r} if n in sys.modules])"
    assert in_fresh_process(code).strip() == "[]"


def test_a_single_environment_does_not_load_numba_or_pygame() -> None:
    code = """
import sys, gymnasium, dynamaze
env = gymnasium.make("DynaMaze-v0", render_mode="rgb_array")
env.reset(seed=0); env.step(0); env.render()
print([name for name in ("numba", "pygame", "torch", "matplotlib") if name in sys.modules])
"""
    assert in_fresh_process(code).strip() == "[]"


def test_the_package_never_loads_what_could_run_code() -> None:
    forbidden = {"eval", "exec", "pickle", "cloudpickle", "dill", "marshal", "shelve", "joblib"}
    face = [path for name in FOLDERS for path in (ROOT / "dynamaze" / name).glob("*.py")]
    for paths in (face, *map(modules, WINGS)):
        for path in paths:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    assert node.func.id not in forbidden, f"{path}:{node.lineno}"
                if isinstance(node, ast.Import):
                    assert not {a.name for a in node.names} & forbidden, f"{path}:{node.lineno}"
                if isinstance(node, ast.ImportFrom):
                    assert node.module not in forbidden, f"{path}:{node.lineno}"
                if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                    assert isinstance(node.value, ast.Constant)
                    assert node.value.value is False, f"{path}:{node.lineno}"
