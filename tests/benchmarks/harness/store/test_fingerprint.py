"""Fingerprints of code: equal in every process, and different where a result could differ."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import gymnasium as gym
import pytest

from dynamaze.benchmarks.figures import exercise_8_4, figure_8_2
from dynamaze.benchmarks.harness.analysis import intervals, statistics
from dynamaze.benchmarks.harness.store import fingerprint, source_files
from dynamaze.benchmarks.harness.store.fingerprint import code_digest
from dynamaze.benchmarks.studies import coverage

SCRIPT = """
from dataclasses import dataclass
from functools import partial
import numpy as np
from dynamaze.agents import DynaQ
from dynamaze.benchmarks.harness.store.fingerprint import canonical_json, code_digest, describe

RATE = {rate}
NAMES = {{"a", "b", "c", "d"}}

def helper(x):
    return x * RATE

class Base:
    limit = {limit}

@dataclass
class Agent(Base):
    env: object
    epsilon: float = 0.1

    def act(self, observation):
        if observation in {{"up", "down", "left"}}:
            return helper(observation)
        return self.limit {operator} 1

def make(size):
    return lambda env, seed=0: Agent(env, size, NAMES)

agents = {{"a": make({size}), "b": partial(DynaQ, planning_steps={planning_steps})}}
{rest}
print(code_digest(agents, Agent), canonical_json(describe([NAMES, agents])))
"""

DEFAULTS = {
    "rate": 0.5,
    "limit": 7,
    "operator": "+",
    "size": 3,
    "planning_steps": 5,
    "rest": "",
}


def script_digest(hash_seed: int = 0, **changes: Any) -> str:
    """Return the digest that a script prints, run as text without a file."""
    text = SCRIPT.format(**{**DEFAULTS, **changes})
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    command = [sys.executable, "-c", text]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture(scope="module")
def script() -> str:
    return script_digest()


def test_main_digest_is_equal_in_every_process(script: str) -> None:
    assert script_digest(1) == script
    # What is not used may be edited; so may comments.
    assert script_digest(2, rest="print  # nothing\nOTHER = 3") == script


@pytest.mark.parametrize(
    "change",
    [{"rate": 0.6}, {"limit": 8}, {"operator": "-"}, {"size": 4}, {"planning_steps": 6}],
    ids=lambda change: next(iter(change)),
)
def test_main_digest_notices_edits(change: Mapping[str, Any], script: str) -> None:
    assert script_digest(**change) != script


def make_closure(value: Any) -> Callable[[], Any]:
    return lambda: value


def test_digest_covers_closures() -> None:
    assert code_digest(make_closure(1)) == code_digest(make_closure(1))
    assert code_digest(make_closure(1)) != code_digest(make_closure(2))
    assert code_digest(make_closure(make_closure(1))) != code_digest(make_closure(make_closure(2)))


def test_digest_of_undescribed_closure_has_its_class() -> None:
    lock, other = make_closure(threading.Lock()), make_closure(threading.Lock())
    assert code_digest(lock) == code_digest(other) != code_digest(make_closure(threading.RLock()))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a package `fingerprinted`, which can be imported."""
    folder = tmp_path / "fingerprinted"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "agent.py").write_text("from . import model\nclass Agent:\n    pass\n")
    (folder / "model.py").write_text("import fingerprinted.table\n")
    (folder / "table.py").write_text("SIZE = 3\n")
    (folder / "unrelated.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return folder


def package_digest() -> str:
    for name in [name for name in sys.modules if name.startswith("fingerprinted")]:
        del sys.modules[name]
    module: ModuleType = importlib.import_module("fingerprinted.agent")
    return code_digest(partial(module.Agent, size=3))


@pytest.mark.parametrize("file", ["agent.py", "model.py", "table.py"])
def test_digest_covers_imported_sources(file: str, package: Path) -> None:
    before = package_digest()
    assert package_digest() == before
    (package / "unrelated.py").write_text("X = 1\n")
    assert package_digest() == before
    (package / file).write_text((package / file).read_text() + "X = 1\n")
    assert package_digest() != before


def test_digest_of_ours_covers_all_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    before = code_digest(figure_8_2.trial)
    monkeypatch.setattr(fingerprint, "sources_digest", lambda: "edited")
    assert code_digest(figure_8_2.trial) != before


def names_of(trial: Callable[..., Any]) -> tuple[set[str], set[str]]:
    """Return the modules that count as a whole, and the functions and classes by themselves."""
    fingerprint._code_of_trial.cache_clear()
    code = fingerprint._code_of_trial(trial)
    files = {line.split()[1].rpartition(".")[2] for line in source_files.module_lines(code.modules)}
    own = {line.rpartition(":")[2] for line in code.lines if line[:6] in ("functi", "class ")}
    return files, own


def test_digest_covers_the_experiments_modules() -> None:
    files, functions = names_of(figure_8_2.trial)
    assert files == {"compiled_runs", "exact_regret", "figure_8_2", "maze_panel"}
    assert "run_seed" in functions


def test_digest_covers_what_a_trial_reaches_of_the_harness() -> None:
    """Intervals are the results of the study of their coverage, and shown by all others."""
    _, reached = names_of(coverage.trial)
    assert reached >= {"mean_interval", "student_t_quantile", "kaplan_meier", "SurvivalCurve.at"}
    assert reached.isdisjoint({"format_interval", "write_csv", "Runner", "ExperimentConfig"})
    assert "mean_interval" not in names_of(exercise_8_4.trial)[1]


@pytest.mark.parametrize(
    ("module", "name", "value", "runs_again"),
    [
        (intervals, "_student_t_expansion", names_of, True),
        (statistics, "_normal_quantile", names_of, True),
        (intervals, "format_interval", names_of, False),
        (intervals, "FEW_RUNS_NOTE", "", False),
    ],
)
def test_edited_intervals_run_their_coverage_again(
    module: ModuleType, name: str, value: Any, runs_again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [own_digest(each.trial) for each in (coverage, figure_8_2)]
    monkeypatch.setattr(module, name, value)
    after = [own_digest(each.trial) for each in (coverage, figure_8_2)]
    assert [new != old for new, old in zip(after, before, strict=True)] == [runs_again, False]


def test_edited_constant_runs_its_reader_again(monkeypatch: pytest.MonkeyPatch) -> None:
    before = own_digest(trial_by_constant)
    monkeypatch.setattr(intervals, "FEW_RUNS_BY_KIND", {})
    assert own_digest(trial_by_constant) != before


def trial_by_constant(config: Any, number: int) -> Any:
    return intervals.few_runs("mean", number)


trial_by_constant.__module__ = "dynamaze.benchmarks.studies.of_a_test"


def test_digest_covers_attributes_of_harness_modules() -> None:
    _, reached = names_of(trial_by_module)
    assert "quantile_interval" in reached


def trial_by_module(config: Any, number: int) -> Any:
    return intervals.quantile_interval([number])


trial_by_module.__module__ = "dynamaze.benchmarks.studies.of_a_test"


def own_digest(trial: Callable[..., Any]) -> str:
    fingerprint._code_of_trial.cache_clear()
    return code_digest(trial)


def test_digest_of_library_class_has_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    before = code_digest(gym.spec("Taxi-v4"))
    monkeypatch.setattr(gym, "__version__", "99")
    assert code_digest(gym.spec("Taxi-v4")) != before
