"""Fingerprints: equal in every process, and different where a result could differ."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, NamedTuple

import gymnasium as gym
import numpy as np
import pytest

from dynamaze.agents import DynaQ
from dynamaze.agents.exploration import EpsilonGreedy
from dynamaze.agents.models.likelihood import MaximumLikelihood
from dynamaze.benchmarks.figures import figure_8_2
from dynamaze.benchmarks.harness import fingerprint
from dynamaze.benchmarks.harness.experiment import ExperimentConfig
from dynamaze.benchmarks.harness.fingerprint import (
    canonical_json,
    code_digest,
    describe,
    describe_configuration,
    describe_options,
)


class Colour(Enum):
    RED = 1


class Pair(NamedTuple):
    a: int
    b: Any


@dataclass(frozen=True)
class Part:
    size: int = 3
    cache: dict[str, int] = field(default_factory=dict, init=False, compare=False)


class Plain:
    def __init__(self, number: int) -> None:
        self.number = number


@dataclass(frozen=True)
class Toy(ExperimentConfig):
    name: ClassVar[str] = "toy"
    title: ClassVar[str] = "Toy"
    swept: ClassVar[tuple[str, ...]] = ("sizes",)

    sizes: tuple[int, ...] = (1, 2)
    steps: int = 10


# -- values


@pytest.mark.parametrize(
    ("value", "described"),
    [
        (None, None),
        (True, True),
        (np.bool_(True), True),
        (np.int8(3), 3),
        (0.1, 0.1),
        (np.float64(0.1), 0.1),
        (float("nan"), {"float": "nan"}),
        ("é", "é"),
        ((1, [2, "x"]), [1, [2, "x"]]),
        ({"b": 1, "a": 2}, {"a": 2, "b": 1}),
        (Colour.RED, {"enum": f"{__name__}:Colour.RED"}),
        (DynaQ, {"class": "dynamaze.agents.dyna:DynaQ"}),
        (len, {"function": "builtins:len"}),
        (Path("missing"), {"path": "missing"}),
    ],
)
def test_describe_plain_values(value: Any, described: Any) -> None:
    assert describe(value) == described


DIFFERENT = [
    *(0, 1, 1.5, "1", True, None, b"1", (), (1,), (1, 2), {1, 2}, {1: 2}, {"1": 2}),
    *(np.array([1, 2]), np.array([1, 2], np.int8), np.array([[1, 2]]), np.array([1, 3])),
    *(Pair(1, 2), Pair(1, 3), Part(3), Part(4), Plain(1), Plain(2), Colour.RED, Plain, Part),
    *(partial(Plain, 1), partial(Plain, 2), partial(Plain, number=1)),
    *(np.random.default_rng(0), np.random.default_rng(1), np.random.SeedSequence(0)),
    *(MaximumLikelihood(5, 2), MaximumLikelihood(5, 3), EpsilonGreedy(0.1), EpsilonGreedy(0.2)),
    *(gym.spec("FrozenLake-v1"), gym.spec("Taxi-v4")),
    *(gym.spaces.Box(0, 1, (2,)), gym.spaces.Box(0, 2, (2,)), gym.spaces.Discrete(2)),
    *(Plain(1).__init__, [].append, np.add, np.linalg),
]


def test_describe_tells_values_apart() -> None:
    texts = [canonical_json(describe(value)) for value in DIFFERENT]
    assert len(set(texts)) == len(DIFFERENT)


def test_describe_leaves_caches_out() -> None:
    part = Part()
    before = describe(part)
    part.cache["x"] = 1
    assert describe(part) == before


def test_describe_file_by_content(tmp_path: Path) -> None:
    path = tmp_path / "agent.npz"
    path.write_bytes(b"1")
    before = describe(path)
    path.write_bytes(b"2")
    assert describe(path) != before


def test_describe_agent_by_what_it_learned() -> None:
    agent, other = (DynaQ("DynaMaze-v0", seed=0) for _ in range(2))
    assert describe(agent) == describe(other)
    agent.learn(50)
    assert describe(agent) != describe(other)


def test_describe_cycles() -> None:
    value: list[Any] = [1]
    value.append(value)
    assert describe(value) == [1, {"cycle": 1}]


def test_describe_refuses_locks() -> None:
    with pytest.raises(TypeError, match=r"an object of _thread:lock has no description"):
        describe({"lock": threading.Lock()})


def test_configuration_ignores_run_options() -> None:
    toy = Toy()
    text = describe_configuration(toy, (5,))
    assert json.loads(text) == {"options": {"seed": 0, "steps": 10}, "arguments": [5]}
    same = replace(toy, runs=7, output=Path("x"), plot_only=True, sizes=(3,))
    assert describe_configuration(same, (5,)) == text
    for other in (replace(toy, seed=1), replace(toy, steps=11)):
        assert describe_configuration(other, (5,)) != text
    assert describe_configuration(toy, (6,)) != text
    assert json.loads(describe_options(toy)) == {"runs": 2, "seed": 0, "sizes": [1, 2], "steps": 10}


# -- code

SCRIPT = """
from dataclasses import dataclass
from functools import partial
import numpy as np
from dynamaze.agents import DynaQ
from dynamaze.benchmarks.harness.fingerprint import canonical_json, code_digest, describe

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


def test_digest_covers_the_experiments_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def remember(path: Path) -> str:
        seen.append(path.name)
        return ""

    fingerprint.sources_digest()
    monkeypatch.setattr(fingerprint, "_file_digest", remember)
    code_digest(figure_8_2.trial)
    assert sorted(seen) == ["compiled_runs.py", "figure_8_2.py"]


def test_presentation_modules_exist() -> None:
    folder = Path(fingerprint.__file__).parent
    planned = {"coverage", "diff", "export", "live_view", "statistics", "workers"}
    missing = {name for name in fingerprint.PRESENTATION if not (folder / f"{name}.py").exists()}
    assert missing <= planned


def test_digest_of_library_class_has_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    before = code_digest(gym.spec("Taxi-v4"))
    monkeypatch.setattr(gym, "__version__", "99")
    assert code_digest(gym.spec("Taxi-v4")) != before
