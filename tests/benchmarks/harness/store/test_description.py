"""Descriptions of values: equal in every process, and different for different values."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import gymnasium as gym
import numpy as np
import pytest

from dynamaze.agents import DynaQ
from dynamaze.agents.exploration import EpsilonGreedy
from dynamaze.agents.models.likelihood import MaximumLikelihood
from dynamaze.benchmarks.harness.experiment import ExperimentConfig
from dynamaze.benchmarks.harness.store.fingerprint import (
    canonical_json,
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
    teacher: Path | None = None


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


def test_describe_file_by_content_alone(tmp_path: Path) -> None:
    path, copy = tmp_path / "teacher.safetensors", tmp_path / "copy.safetensors"
    for each in (path, copy):
        each.write_bytes(b"1")
    before = describe(path)
    assert describe(copy) == before
    path.write_bytes(b"2")
    assert describe(path) != before


def test_options_tell_the_path_of_a_file(tmp_path: Path) -> None:
    path, copy = tmp_path / "a", tmp_path / "b"
    for each in (path, copy):
        each.write_bytes(b"1")
    one, other = (replace(Toy(), teacher=each) for each in (path, copy))
    assert describe_configuration(one) == describe_configuration(other)
    assert json.loads(describe_options(one))["teacher"]["path"] == str(path)


def test_describe_agent_by_what_it_learned() -> None:
    agent, other = (DynaQ("DynaMaze-v0", seed=0) for _ in range(2))
    assert describe(agent) == describe(other)
    agent.learn(1500)
    assert describe(agent) != describe(other)
    assert agent.num_episodes > 0
    assert describe(agent) == describe(other.learn(1500))


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
    assert json.loads(text) == {
        "options": {"seed": 0, "steps": 10, "teacher": None},
        "arguments": [5],
    }
    same = replace(toy, runs=7, output=Path("x"), plot_only=True, sizes=(3,))
    assert describe_configuration(same, (5,)) == text
    for other in (replace(toy, seed=1), replace(toy, steps=11)):
        assert describe_configuration(other, (5,)) != text
    assert describe_configuration(toy, (6,)) != text
    options = {"runs": 2, "seed": 0, "sizes": [1, 2], "steps": 10, "teacher": None}
    assert json.loads(describe_options(toy)) == options


@pytest.mark.parametrize("text", ["own.py:policy", "own:policy"])
def test_describe_name_in_file(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    described = []
    for content in ("one", "other"):
        (tmp_path / "own.py").write_text(content)
        described.append(describe(Path(text)))
    assert described[0] != described[1]
