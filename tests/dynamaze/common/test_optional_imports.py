"""Imports of libraries that may be missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from dynamaze.common.deprecation import lazy_exports
from dynamaze.common.optional_imports import EXTRAS, naming_extra, optional_import
from dynamaze.common.registry import Registry

ROOT = Path(__file__).parents[3]


def test_optional_import_names_extra() -> None:
    assert optional_import("json", extra="x", purpose="y").__name__ == "json"
    with pytest.raises(ImportError, match=r'a trip needs no_such_library.*"dynamaze\[moon\]"'):
        optional_import("no_such_library", extra="moon", purpose="a trip")
    with pytest.raises(ModuleNotFoundError, match="No module named 'no_such_library'"):
        optional_import("no_such_library", purpose="a trip")


@pytest.fixture(autouse=True)
def libraries_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for library in EXTRAS:
        monkeypatch.setitem(sys.modules, library, None)


def missing(library: str) -> Any:
    raise ModuleNotFoundError(f"No module named {library!r}", name=library)


@pytest.mark.parametrize("library", EXTRAS)
def test_lazy_names_say_what_installs_library(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for libraries that the package depends on, which a broken installation lacks."""
    module = ModuleType("package_of_test.part")
    module.__getattr__ = lambda name: missing(library)  # type: ignore[method-assign]
    monkeypatch.setitem(sys.modules, "package_of_test", ModuleType("package_of_test"))
    monkeypatch.setitem(sys.modules, "package_of_test.part", module)
    get = lazy_exports("package_of_test", {"Name": ".part"})
    what = "sb3-contrib" if library == "sb3_contrib" else f"dynamaze[{EXTRAS[library]}]"
    command = f'pip install "{what.removesuffix("[]")}"'
    with pytest.raises(ImportError) as error:
        get("Name")
    assert str(error.value) == (
        f"package_of_test.Name needs {library}, which is not installed: {command}"
    )
    table: Registry[Any] = Registry("model", {"name": "package_of_test.part:Name"})
    with pytest.raises(ImportError, match=f"model 'name' needs {library}"):
        table.find("name")


def test_outermost_purpose_and_innermost_extra_are_named() -> None:
    with (
        pytest.raises(ImportError, match=r'^outer needs torch.*"dynamaze\[models\]"$'),
        naming_extra("outer"),
        naming_extra("inner", {"torch": "models"}),
    ):
        missing("torch")
    with pytest.raises(ModuleNotFoundError, match="No module named 'another'"), naming_extra("it"):
        missing("another")
    with (
        pytest.raises(ModuleNotFoundError, match=r"'json\.missing'"),
        naming_extra("it", {"json": ""}),
    ):
        missing("json.missing")  # the library is there


WITHOUT_EXTRAS = """
import importlib, pkgutil, sys
from types import ModuleType

for library in {libraries!r}:
    sys.modules[library] = None
import dynamaze
from dynamaze.common.registry import Registry

COMMAND = 'pip install "'
missing = {{}}

def check(name, get):
    try:
        return get()
    except ImportError as error:
        missing[name] = str(error)
        assert COMMAND in str(error), (name, error)

names = [info.name for info in pkgutil.walk_packages(dynamaze.__path__, "dynamaze.")]
names = [name for name in names if not name.endswith("__main__")]
for name in names:
    module = check(name, lambda: importlib.import_module(name))
    for public in getattr(module, "__all__", ()):
        value = check(f"{{name}}.{{public}}", lambda: getattr(module, public))
        assert not isinstance(value, ModuleType), (name, public)
    for table in list(vars(module).values()) if module else ():
        if isinstance(table, Registry):
            for entry in table:
                check(f"{{table.argument}} {{entry}}", lambda: table[entry])
print(missing["dynamaze.distill.Distiller"])
print(*missing)
"""


def test_every_public_name_and_module_names_missing_extra() -> None:
    libraries = [*(library for library, extra in EXTRAS.items() if extra), "sb3_contrib"]
    code = WITHOUT_EXTRAS.format(libraries=libraries)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    message, names = done.stdout.splitlines()
    assert message == (
        "dynamaze.distill.Distiller needs torch, which is not installed: pip install "
        '"dynamaze[distill]"'
    )
    available = {"Dataset", "Policy", "Rollouts", "evaluate", "load_policy", "as_teacher"}
    found = set(names.split())
    assert "dynamaze.benchmarks.benchmark" not in found
    assert not {f"dynamaze.distill.{name}" for name in available} & found
    assert {
        "dynamaze.envs.sb3_vec_env",
        "dynamaze.agents.NetworkValues",
        "dynamaze.agents.learners.GaussianProcess",
        "dynamaze.agents.sb3.DynaCallback",
        "dynamaze.distill.students.mlp",
        "dynamaze.distill.load_sb3",
        "dynamaze.distill.make_student",
    } <= found


WITHOUT_MATPLOTLIB = """
import sys

sys.modules["matplotlib"] = None
from dynamaze.agents import DynaQ
from dynamaze.app.cli import main
from dynamaze.benchmarks import benchmark

options = dict(steps=100, runs=2, workers=1, progress=False)
results = benchmark(DynaQ, "DynaMaze-v0", store="runs.sqlite", **options)
results.summary()
results.report("report.html")
for words in ("figures", "bench run figure-8-2", "bench run compare --runs 2 --steps 100"):
    assert main(words.split()) == 1
results.plot()
"""


def test_matplotlib_is_needed_by_plots_alone(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_MATPLOTLIB]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
    )
    *lines, last = [line for line in done.stderr.splitlines() if "matplotlib" in line]
    needs = 'needs matplotlib, which is not installed: pip install "dynamaze[figures]"'
    assert lines[:3] == [
        f"dynamaze: dynamaze figures {needs}",
        f"dynamaze: the plot of an experiment {needs}",
        f"dynamaze: the plot of an experiment {needs}",
    ]
    assert last.endswith(f"MissingLibraryError: a plot {needs}")
    assert "DynaQ" in done.stdout
    # The experiment was refused before anything ran.
    assert {each.name for each in tmp_path.iterdir()} == {"runs.sqlite", "report.html"}
