"""Identity tests: every agent, model and planner solves a corridor whose Q* is written down.

The corridor has three states, its goal is at the right end, and with gamma = 0.9

    Q*(s, right) = 0.81, 0.9, 1        Q*(s, left) = 0.729, 0.729, 0.81        for s = 0, 1, 2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dynamaze.agents import (
    MODELS,
    PLANNERS,
    TABLE_MODELS,
    Dyna2,
    DynaQ,
    DynaQPlus,
    ForwardSearch,
    LinearDyna,
    MaximumLikelihood,
    MonteCarloSearch,
    QLearning,
    ScoredModel,
    SparseSampling,
    TDSearch,
    TimeBonus,
    TreeSearch,
    UncertaintyBonus,
)
from dynamaze.agents.checks import Corridor

GAMMA = 0.9
FITS_ALL = "maximum_likelihood"
OPTIMAL = np.array([[0.729, 0.81], [0.729, 0.9], [0.81, 1.0]])
NEEDS = {name: DynaQ(Corridor(), model=FITS_ALL, planning=name).planning.needs for name in PLANNERS}
TABLES = sorted(TABLE_MODELS)
LEARNED = sorted(set(MODELS) - set(TABLE_MODELS))


def test_written_values_are_optimal() -> None:
    exact = Corridor().optimal_values(GAMMA)
    np.testing.assert_allclose(exact[:3], OPTIMAL, rtol=1e-12)
    assert not exact[3].any()


def solve(
    make: Callable[..., Any], *, steps: int = 200, tolerance: float | None = 1e-3, **options: Any
) -> Any:
    """Let an agent learn, and require the greedy actions and, within a tolerance, the values."""
    env = Corridor(vectors=options.pop("vectors", False))
    agent = make(env, **{"gamma": GAMMA, "seed": 1, **options})
    agent.learn(steps)
    observations = np.arange(3)[:, None] / 3 if env.vectors else np.arange(3)
    actions, _ = agent.predict(observations, deterministic=True)
    assert actions.tolist() == [Corridor.RIGHT] * 3
    if tolerance is not None:
        np.testing.assert_allclose(agent.values.values(observations), OPTIMAL, atol=tolerance)
    return agent


@pytest.mark.parametrize("epsilon", [0.3, 1.0])
def test_q_learning_solves_corridor(epsilon: float) -> None:
    solve(QLearning, learning_rate=0.5, epsilon=epsilon, steps=600)


@pytest.mark.parametrize("planning", sorted(PLANNERS))
@pytest.mark.parametrize("model", sorted(MODELS))
def test_dyna_q_solves_corridor(model: str, planning: str) -> None:
    options: dict[str, Any] = {"model": model, "planning": planning, "epsilon": 0.5}
    if not NEEDS[planning] <= DynaQ(Corridor(), model=model).model.capabilities:
        with pytest.raises(ValueError, match="needs a model that"):
            DynaQ(Corridor(), **options)
        return
    exact = model in TABLES
    steps, tolerance = (200, 1e-3) if exact else (100, None)
    solve(DynaQ, learning_rate=0.5, steps=steps, tolerance=tolerance, **options)


@pytest.mark.parametrize("model", ["stored_experience", *LEARNED])
@pytest.mark.parametrize("values", ["tile_coding", "network"])
def test_dyna_q_of_vectors_solves_corridor(values: str, model: str) -> None:
    options: dict[str, Any] = {"values": values, "model": model, "epsilon": 0.5}
    rate = 0.5 if values == "tile_coding" else 3e-3
    solve(DynaQ, vectors=True, learning_rate=rate, steps=150, tolerance=None, **options)


@pytest.mark.parametrize(
    ("model", "bonus"),
    # With a bonus at action time planning is that of Dyna-Q: learned models are tested there.
    [*((model, "planning") for model in sorted(MODELS)), *((model, "action") for model in TABLES)],
)
def test_dyna_q_plus_solves_corridor(model: str, bonus: str) -> None:
    exact = model in TABLES
    steps, tolerance = (200, 0.1) if exact else (100, None)
    options: dict[str, Any] = {"model": model, "bonus": bonus, "kappa": 1e-5}
    solve(DynaQPlus, learning_rate=0.5, steps=steps, tolerance=tolerance, **options)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda model: TimeBonus(model, 4, 2, kappa=0.0),
        ScoredModel,
        lambda model: UncertaintyBonus(model, weight=0.0),
    ],
    ids=["TimeBonus", "ScoredModel", "UncertaintyBonus"],
)
@pytest.mark.parametrize("planning", ["uniform", "prioritised_sweeping"])
def test_wrapped_models_solve_corridor(wrap: Callable[[Any], Any], planning: str) -> None:
    model = wrap(MaximumLikelihood(4, 2))
    solve(DynaQ, model=model, planning=planning, learning_rate=0.5, epsilon=0.5)


SEARCHES: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "ForwardSearch": (ForwardSearch, {"depth": 4}),
    "SparseSampling": (SparseSampling, {"depth": 4, "width": 2}),
    "MonteCarloSearch": (MonteCarloSearch, {"simulations": 60}),
    "TreeSearch": (TreeSearch, {"simulations": 60}),
    "TDSearch": (TDSearch, {"simulations": 60}),
    "Dyna2": (Dyna2, {"simulations": 60}),
}


@pytest.mark.parametrize("model", ["true", *TABLES])
@pytest.mark.parametrize("search", sorted(SEARCHES))
def test_searches_solve_corridor(search: str, model: str) -> None:
    make, options = SEARCHES[search]
    steps = 60 if model in TABLES else 10
    solve(make, model=model, epsilon=0.5, steps=steps, tolerance=None, **options)


@pytest.mark.parametrize("search", ["MonteCarloSearch", "SparseSampling", "TreeSearch"])
def test_searches_of_copies_solve_corridor(search: str) -> None:
    make, options = SEARCHES[search]
    agent = make(Corridor(), model="simulator", gamma=GAMMA, epsilon=0.0, seed=1, **options)
    agent.learn(12)
    assert agent.num_episodes == 4  # of three steps each


@pytest.mark.parametrize("search", ["Dyna2", "ForwardSearch", "TDSearch"])
def test_searches_of_probabilities_refuse_copies(search: str) -> None:
    make, options = SEARCHES[search]
    with pytest.raises((ValueError, TypeError), match=r"distribution|model="):
        make(Corridor(), model="simulator", **options)


def test_exact_search_gives_written_values() -> None:
    agent = ForwardSearch(Corridor(), depth=12, gamma=GAMMA, seed=0)
    found = agent.planning.action_values(agent.values, agent.model, np.arange(3), agent.rng)
    np.testing.assert_allclose(found, OPTIMAL, atol=GAMMA**12)


def test_linear_dyna_solves_corridor() -> None:
    solve(LinearDyna, vectors=True, steps=600, epsilon=0.5, tolerance=None)
