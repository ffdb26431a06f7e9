"""Corrupted models and their error."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401
from dynamaze.agents import DynaQ, LatestOutcome, MaximumLikelihood, Transitions
from dynamaze.benchmarks.harness.agent_runs.compiled_runs import run_one
from dynamaze.benchmarks.studies import model_error
from dynamaze.benchmarks.studies.corrupted_model import (
    KINDS,
    CorruptedModel,
    block_representatives,
    random_corruption,
    reachable_states,
    stale_corruption,
    total_variation_error,
)
from dynamaze.benchmarks.studies.model_error import (
    make_env,
)
from dynamaze.envs.mazes.mdp import FiniteMDP


def maze(layout: str = "dyna") -> FiniteMDP:
    env: Any = gym.make("DynaMaze-v0", layout=layout).unwrapped
    mdp: FiniteMDP = env.mdp
    return mdp


def everything(mdp: FiniteMDP) -> Transitions:
    """Return each pair of a deterministic environment once."""
    states = np.repeat(reachable_states(mdp), 4)
    actions = np.tile(np.arange(4), len(states) // 4)
    columns = (mdp.reward, mdp.next_state, mdp.terminated)
    reward, following, terminated = (column[states, actions, 0] for column in columns)
    return Transitions(states, actions, reward, following, terminated)


def model_of(mdp: FiniteMDP, **wrong: Any) -> CorruptedModel:
    """Return a model that was updated with every pair."""
    model = CorruptedModel(MaximumLikelihood(*mdp.next_state.shape[:2]), **wrong)
    model.update(everything(mdp))
    return model


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 1.0])
def test_error_equals_noise_fraction(fraction: float) -> None:
    mdp = maze()
    pairs = 4 * reachable_states(mdp).size
    assert pairs == 4 * 46  # 54 cells, 7 walls and the goal
    corruption = random_corruption(mdp, fraction, np.random.default_rng(0))
    assert corruption.is_corrupted.sum() == round(fraction * pairs)
    assert total_variation_error(model_of(mdp, corruption=corruption), mdp) == pytest.approx(
        round(fraction * pairs) / pairs, abs=1e-12
    )


def test_random_corruption_is_consistent() -> None:
    mdp = maze()
    corruption = random_corruption(mdp, 1.0, np.random.default_rng(0))
    pairs = np.flatnonzero(corruption.is_corrupted)
    assert (corruption.next_state[pairs] != mdp.next_state.reshape(-1)[pairs]).all()
    at_goal = corruption.next_state[pairs] == 8
    assert 0 < at_goal.sum() < 15
    np.testing.assert_array_equal(corruption.terminated[pairs], at_goal)
    np.testing.assert_array_equal(corruption.reward[pairs], at_goal.astype(float))
    open_cells = {*reachable_states(mdp).tolist(), 8}
    assert open_cells == set(corruption.next_state[pairs].tolist())


def test_stale_corruption_error() -> None:
    kind = KINDS["closed"]
    old, new = (make_env(kind, 100).phase_mdp(phase) for phase in (0, 1))
    rng = np.random.default_rng(0)
    can_be = reachable_states(new)
    changed = (old.next_state[can_be] != new.next_state[can_be]).sum()
    assert changed == 5  # two cells side by side: from above four pairs, from the left one
    everywhere = model_of(new, corruption=stale_corruption(old, 1.0, rng))
    assert total_variation_error(everywhere, new) == pytest.approx(changed / (4 * can_be.size))
    assert (
        total_variation_error(model_of(new, corruption=stale_corruption(old, 0.0, rng)), new) == 0
    )
    half = stale_corruption(old, 0.5, rng)
    assert half.is_corrupted.reshape(-1, 4).all(axis=1).sum() == round(
        0.5 * reachable_states(old).size
    )
    assert (
        total_variation_error(model_of(old, corruption=half), old) == 0
    )  # as it was, that was right


def test_blocks_share_outcomes() -> None:
    """A corridor of three cells and a goal; the first two are a block."""
    mdp = maze("S..G")
    model = model_of(mdp, representatives=block_representatives(1, 4, 2))
    up, right, left = (model.distribution(0, action) for action in (0, 1, 3))
    assert sorted(up.next_observation.tolist()) == [0, 1]
    assert sorted(right.next_observation.tolist()) == [1, 2]
    assert right.probability.tolist() == [0.5, 0.5]
    assert left.next_observation.tolist() == [0]
    # Of the first two cells up, down and right are half wrong, left and the third cell are right.
    assert total_variation_error(model, mdp) == pytest.approx(2 * 3 * 0.5 / 12)
    assert block_representatives(3, 3, 2).tolist() == [0, 0, 2, 0, 0, 2, 6, 6, 8]
    assert block_representatives(6, 9, 1).tolist() == list(range(54))


def test_error_counts_visited_pairs() -> None:
    mdp = maze("S..G")
    model = CorruptedModel(
        LatestOutcome(4, 4), corruption=random_corruption(mdp, 1.0, np.random.default_rng(0))
    )
    seen = everything(mdp)
    model.update(Transitions(*(column[:3] for column in seen)))
    assert model.tried.tolist() == [0, 1, 2]
    assert total_variation_error(model, mdp) == 1
    with pytest.raises(ValueError, match="transition 0"):
        model.update(
            Transitions(*(column[:1] + (9 if i == 0 else 0) for i, column in enumerate(seen)))
        )


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_level_zero_is_bit_identical(kind: Any) -> None:
    maze = make_env(kind, 800)
    rng = np.random.default_rng(0)
    wrong, right = model_error.make_model(kind, kind.levels[0], maze, rng), kind.model_type(54, 4)
    agents = [
        DynaQ(maze, model=model, planning_steps=5, initial_value=1.0, seed=0)
        for model in (wrong, right)
    ]
    for agent in agents:
        run_one(agent, 800, 0)
    left, other = (agent.values.q for agent in agents)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(left, other)
    states, actions = np.divmod(np.arange(216), 4)
    for mine, its in zip(
        wrong.predict(states, actions), right.predict(states, actions), strict=True
    ):
        np.testing.assert_array_equal(mine, its)
    draws = [model.sample(50, np.random.default_rng(1)) for model in (wrong, right)]
    for mine, its in zip(*draws, strict=True):
        np.testing.assert_array_equal(mine, its)
    copy = model_error.make_model(kind, kind.levels[0], maze, rng)
    copy.set_state(wrong.get_state())
    np.testing.assert_equal(copy.get_state(), wrong.get_state())
