"""Agents and environments from text."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

import dynamaze  # noqa: F401
from dynamaze.agents import DynaQ
from dynamaze.benchmarks.harness.agent_runs.recorder import Budget
from dynamaze.benchmarks.harness.agent_runs.resolver import (
    AGENTS,
    RandomAgent,
    StableBaselinesAgent,
    named_text,
    resolve_agent,
    resolve_env,
)
from dynamaze.benchmarks.harness.agent_runs.step_runs import run_agent
from dynamaze.benchmarks.harness.store.description import describe

OWN = """
import gymnasium as gym

class Still:
    def __init__(self, env, seed, action=0):
        self.action = action

    def act(self, observation):
        return self.action

def corridor(slip=0.0):
    return gym.make("DynaMaze-v0", layout="S..G", slip_probability=slip)
"""


def test_resolve_names() -> None:
    assert all(resolve_agent(name).__name__ == name for name in AGENTS)
    assert resolve_agent("random") is resolve_agent("Random") is RandomAgent


def test_resolve_arguments() -> None:
    found = resolve_agent(" DynaQ(planning_steps=50, model='linear', initial_value=-1.5) ")
    assert isinstance(found, partial)
    assert found.func is DynaQ
    assert found.keywords == {"planning_steps": 50, "model": "linear", "initial_value": -1.5}


def test_resolve_stable_baselines() -> None:
    sb3 = pytest.importorskip("stable_baselines3")
    found = resolve_agent("DQN(learning_starts=5)")
    assert found == StableBaselinesAgent(sb3.DQN, {"learning_starts": 5})
    model = found(gym.make("DynaMaze-v0", observation="goal"), seed=0)
    assert type(model.policy).__name__ == "MultiInputPolicy"
    assert model.learning_starts == 5


@pytest.mark.parametrize("place", ["resolver_own", "{folder}/resolver_own.py"])
def test_resolve_own(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "resolver_own.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    place = place.format(folder=tmp_path)
    agent = resolve_agent(f"{place}:Still(action=1)")
    make = resolve_env(f"{place}:corridor(slip=0.0)")
    run = run_agent(agent, make, Budget(6, 0), seed=0, gamma=0.9)
    assert run.rewards.tolist() == [0, 0, 1, 0, 0, 1]
    for wrong, message in (
        ("Stil", "has no 'Stil'; did you mean 'Still'?"),
        ("corridor.x", "has no 'corridor.x'"),
    ):
        with pytest.raises(ValueError) as caught:
            resolve_agent(f"{place}:{wrong}")
        assert message in str(caught.value)
    sys.modules.pop("resolver_own", None)


def test_resolve_checkpoint_goes_on(tmp_path: Path) -> None:
    path = str(tmp_path / "agent.npz")
    DynaQ("DynaMaze-v0", seed=0).learn(2000).save(path)
    agent = resolve_agent(path)
    run = run_agent(agent, partial(gym.make, "DynaMaze-v0"), Budget(300, 0), seed=1, gamma=0.9)
    assert run.rewards.sum() > 5  # a new agent has not found the goal yet
    assert "has taken 2000 steps" in run.kind


def test_stored_agent_counts_by_its_content(tmp_path: Path) -> None:
    path, copy = tmp_path / "agent.npz", tmp_path / "copy.npz"
    for each in (path, copy):
        each.write_bytes(b"1")
    one, other = (describe(resolve_agent(str(each))) for each in (path, copy))
    assert one == other
    path.write_bytes(b"2")
    assert describe(resolve_agent(str(path))) != other


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("DynaR", "did you mean 'DynaQ'?"),
        ("DynaQ(plannig=3)", "DynaQ has no argument 'plannig'; .* did you mean 'planning'?"),
        ("DynaQ(3)", "expected arguments name=value"),
        ("DynaQ(gamma=open('x'))", "expected arguments name=value"),
        ("DynaQ(**{})", "expected arguments name=value"),
        ("DynaQ(gamma=0.9", r"expected NAME or NAME\(argument=value, ...\)"),
        ("no_such_module_here:Agent", "module 'no_such_module_here', which is not installed"),
        ("nowhere/mine.py:Agent", "nowhere/mine.py, which does not exist"),
        ("nowhere.npz", "nowhere.npz: No such file"),
    ],
)
def test_resolve_agent_refuses(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        resolve_agent(text)


def test_resolve_env() -> None:
    env: Any = resolve_env("DynaMaze-v0(slip_probability=0.25)")()
    assert env.unwrapped.layout.slip_probability == 0.25
    assert resolve_env("dynamaze:DynaMaze-v0")().spec.id == "DynaMaze-v0"  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="did you mean 'FrozenLake-v1'"):
        resolve_env("FrozenLak-v1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mine=own.py:Mine", ("mine", "own.py:Mine")),
        ("no steps=DynaQ(planning_steps=0)", ("no steps", "DynaQ(planning_steps=0)")),
        ("DynaQ(planning_steps=0)", ("DynaQ(planning_steps=0)",) * 2),
        ("runs/rate=1.npz", ("runs/rate=1.npz",) * 2),
    ],
)
def test_named_text(text: str, expected: tuple[str, str]) -> None:
    assert named_text(text) == expected


@pytest.mark.parametrize(
    ("code", "message"),
    [("def f(:", "invalid syntax"), ("raise SystemExit(3)", "ends this process")],
)
def test_file_that_cannot_be_imported(code: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(code)
    with pytest.raises(ValueError, match=f"mine.py, which cannot be imported: .*{message}"):
        resolve_agent(f"{tmp_path / 'mine.py'}:f")


@pytest.mark.parametrize("observation", ["index", "experience"])
def test_builtin_learner_runs_in_benchmark(observation: str) -> None:
    agent = resolve_agent("builtin:map_value_iteration")
    make = resolve_env(f"DynaMazeAdaptation-v0(observation={observation!r}, size=7)")
    run = run_agent(agent, make, Budget(800, 0), seed=0, gamma=0.95)
    assert run.rewards.sum() >= 30
    assert (
        run.rewards.tolist()
        == run_agent(agent, make, Budget(800, 0), seed=0, gamma=0.95).rewards.tolist()
    )


def test_builtin_network_runs_without_regret() -> None:
    make = resolve_env("DynaMazeGenerated-v0(observation='planes')")
    agent = resolve_agent("builtin:value_iteration_ternary")
    run = run_agent(agent, make, Budget(0, 5), seed=0, gamma=0.95)
    assert run.rewards.tolist() == [1.0] * 5
    assert run.regrets.max() < 1e-9
    with pytest.raises(ValueError, match="it sees whole mazes and keeps no map; expected"):
        run_agent(agent, resolve_env("DynaMazeAdaptation-v0"), Budget(5, 0), seed=0, gamma=0.95)
