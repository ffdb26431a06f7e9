"""Names of version 0.1 that work with a `DeprecationWarning`, and lazily imported names."""

from __future__ import annotations

import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest

import dynamaze  # noqa: F401  # registers the environments
from dynamaze import agents
from dynamaze.agents import (
    ContinuousTreeSearch,
    DynaQ,
    ForwardSearch,
    MonteCarloSearch,
    Planning,
    SparseSampling,
    TrajectoryOptimisation,
    TrajectorySettings,
    TreeSearch,
    linear,
    search,
)
from dynamaze.agents.planning import base
from dynamaze.agents.search import mcts, trajectory_optimisation

SMALL: dict[str, Any] = {"model": "true", "horizon": 2, "seed": 0}
FEW = TrajectorySettings(elites=2, iterations=1)
COPIES: dict[str, Any] = {**SMALL, "settings": FEW, "model": "copies", "planning_steps": 0}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ContinuousSearch", "TrajectoryOptimisation"),
        ("Coordinates", "CoordinateFeatures"),
        ("OnRows", "TabularAdapter"),
        ("OneHot", "OneHotFeatures"),
    ],
)
def test_old_class_name_warns(old: str, new: str) -> None:
    with pytest.warns(DeprecationWarning, match=f"agents.{old} is now called .*agents.{new}"):
        assert getattr(agents, old) is getattr(agents, new)


@pytest.mark.parametrize("cls", [ForwardSearch, MonteCarloSearch, SparseSampling, TreeSearch])
def test_leaf_is_leaf_value(cls: Any) -> None:
    more: dict[str, Any] = {} if cls is ForwardSearch else {"depth": 3}
    with pytest.warns(DeprecationWarning, match="leaf= is now called .*leaf_value="):
        old = cls("DynaMaze-v0", leaf="values", seed=0, **more)
    params = old.get_params()
    assert getattr(params.get("settings"), "leaf_value", params.get("leaf_value")) == "values"
    assert old.planning.learns_directly


def test_untried_value_is_first_play_urgency() -> None:
    match = r"untried_value= is now called settings=TreeSettings\(first_play_urgency="
    with pytest.warns(DeprecationWarning, match=match):
        agent = TreeSearch("DynaMaze-v0", model="latest_outcome", untried_value=2.0)  # type: ignore[call-arg]
    assert agent.planning.settings.first_play_urgency == 2.0
    both: dict[str, Any] = {"untried_value": 2.0, "first_play_urgency": 1.0}
    with (
        pytest.warns(DeprecationWarning, match="untried_value= is now called"),
        pytest.raises(TypeError, match="expected first_play_urgency alone"),
    ):
        TreeSearch("DynaMaze-v0", model="latest_outcome", **both)


def test_optimiser_settings_have_new_names() -> None:
    old: dict[str, Any] = {
        **{"plans": 5, "spread": 0.4, "correlation": 0.5, "noise": 0.1},
        **{"elites": 2, "iterations": 1},
    }
    with pytest.warns(DeprecationWarning, match="is now called") as warned:
        agent = TrajectoryOptimisation("DynaMazeContinuous-v0", **SMALL, **old)
    assert len(warned) == 6
    assert agent.get_params()["settings"] == TrajectorySettings(
        num_candidates=5,
        elites=2,
        iterations=1,
        init_std=0.4,
        temporal_correlation=0.5,
        action_noise_std=0.1,
    )


@pytest.mark.parametrize("bound", [0.5, 1.0])
def test_action_bounds_of_environment(bound: float) -> None:
    bounds = {"low": [-bound] * 2, "high": [bound] * 2, "dtype": "float32"}
    old: dict[str, Any] = {"action_bounds": bounds, "settings": FEW}
    with pytest.warns(DeprecationWarning, match="action_bounds= is now called"):
        agent = TrajectoryOptimisation("DynaMazeContinuous-v0", **SMALL, **old)
    actions: list[Any] = []
    agent.learn(5, lambda step: actions.append(step.action))
    assert agent.action_space.high.tolist() == [bound] * 2
    assert 0 < np.abs(actions).max() <= bound


def test_copies_is_simulator() -> None:
    makers = (
        lambda: TreeSearch("DynaMaze-v0", model="copies", depth=3),
        lambda: TrajectoryOptimisation("DynaMazeContinuous-v0", **COPIES),
        lambda: ContinuousTreeSearch("DynaMazeContinuous-v0", model="copies"),
    )
    for make in makers:
        with pytest.warns(DeprecationWarning, match="model='copies' is now called"):
            agent: Any = make()
        assert type(agent.model).__name__ == "EnvCopies"


def test_uniform_planning_has_moved() -> None:
    with pytest.warns(DeprecationWarning, match=r"is now called .*planning\.uniform"):
        assert getattr(base, "UniformPlanning") is agents.UniformPlanning  # noqa: B009


def test_planning_accepts_old_method(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "OLD_METHODS", {"improve_values": "plan"})

    def improve_values(self: Any, values: Any, model: Any, rng: np.random.Generator) -> None:
        self.plans = getattr(self, "plans", 0) + 1

    body: dict[str, Any] = {"improve_values": improve_values}
    with pytest.warns(DeprecationWarning, match=r"Counting\.improve_values is now called .*plan"):
        counting = type("Counting", (Planning,), body)()
    DynaQ("DynaMaze-v0", planning=counting, seed=0).learn(7)
    assert counting.plans == 7  # type: ignore[attr-defined]


def test_planning_accepts_note_of_version_0_1() -> None:
    def note(self: Any, values: Any, model: Any, transitions: Any) -> None:
        self.heard = getattr(self, "heard", 0) + len(transitions.action)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        hearing = type("Hearing", (Planning,), {"note": note})()
    DynaQ("DynaMaze-v0", planning=hearing, seed=0).learn(7)
    assert hearing.heard == 7  # type: ignore[attr-defined]


def test_dyna_q_imports_no_search() -> None:
    code = (
        "import sys, dynamaze.agents as agents; agents.DynaQ; print([name for name in sys.modules "
        "if name.startswith(('dynamaze.agents.search', 'dynamaze.agents.sb3', "
        "'dynamaze.agents.linear', 'torch', 'stable_baselines3'))])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_lazy_names_resolve() -> None:
    for package in (agents, search, mcts, trajectory_optimisation, linear):
        assert set(dir(package)) == set(package.__all__)
        for name in package.__all__:
            assert getattr(package, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'TreeSerch'"):
        getattr(agents, "TreeSerch")  # noqa: B009
