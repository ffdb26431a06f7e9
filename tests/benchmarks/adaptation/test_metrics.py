"""Metrics of adaptation: exact values on arrays made by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import dynamaze  # noqa: F401
from dynamaze.agents import DynaQ, LatestOutcome, MaximumLikelihood, TreeSearch
from dynamaze.agents.core.transitions import Transitions
from dynamaze.benchmarks.adaptation import metrics
from dynamaze.benchmarks.adaptation.metrics import Episodes, finished_episodes
from dynamaze.envs import DynaMazeEnv


def marks(*lengths: int, rest: int = 0) -> Any:
    ended = np.zeros(sum(lengths) + rest, dtype=np.bool_)
    ended[np.cumsum(lengths) - 1] = True
    return ended


def test_episodes_are_the_finished_ones() -> None:
    episodes = finished_episodes(marks(3, 1, 2, rest=4))
    assert episodes.start.tolist() == [0, 3, 4]
    assert episodes.end.tolist() == [3, 4, 6]
    none = finished_episodes(np.zeros(5, dtype=np.bool_))
    assert none.start.tolist() == none.end.tolist() == []


def test_loss_is_discounted_from_first_step() -> None:
    regrets = np.array([0.2, 0.0, 0.4, 0.1, 9.0])
    values = np.array([0.8, 0.5, 0.5, 0.5, 0.5])
    losses = metrics.episode_losses(regrets, values, finished_episodes(marks(3, 1, rest=1)), 0.5)
    np.testing.assert_allclose(losses, [(0.2 + 0.25 * 0.4) / 0.8, 0.1 / 0.5])


def test_loss_is_unknown_without_return() -> None:
    losses = metrics.episode_losses(
        np.zeros(2), np.array([0.0, -1.0]), finished_episodes(marks(1, 1)), 0.9
    )
    assert np.isnan(losses).all()


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([0.0] * 6, 30.0),  # the third one ends at step 50, 30 after the change
        ([1.0, 0.0, 1.0, 0.05, 0.0, 0.0], 50.0),  # 3 of the last 5
        ([0.0, 0.0, 1.0, 1.0, 1.0, 0.0], np.inf),  # never 3 of 5 successive ones
        ([0.0, 0.06, 0.06, 0.0, 0.0, 1.0], 50.0),
        ([np.nan] * 6, np.inf),
    ],
)
def test_recovery_time(losses: list[float], expected: float) -> None:
    """Two good episodes before the change, and one that spans it, do not count."""
    episodes = finished_episodes(marks(10, 10, *[10] * 6))
    assert metrics.recovery_time(np.array([0.0, 0.0, *losses]), episodes, 20) == expected
    spanning = Episodes(episodes.start - 1, episodes.end)
    late = metrics.recovery_time(np.array([0.0, 0.0, *losses]), spanning, 20)
    assert late >= expected


def test_recovery_needs_episodes() -> None:
    assert metrics.recovery_time(np.zeros(2), finished_episodes(marks(5, 5)), 0) == np.inf


def test_shortcut_is_an_episode_after_the_change_shorter_than_the_path_before() -> None:
    episodes = finished_episodes(marks(4, 16, 15, 16))
    assert metrics.found_shortcut(episodes, 20, 16)
    assert not metrics.found_shortcut(episodes, 20, 15)
    assert not metrics.found_shortcut(episodes, 21, 16)  # that of 15 steps spans the change
    assert not metrics.found_shortcut(finished_episodes(np.zeros(3, dtype=np.bool_)), 0, 16)


def test_reward_before() -> None:
    assert metrics.reward_before(np.array([0.0, 1.0, 0.0, 1.0, 5.0]), 4) == 0.5


def test_detection_delays() -> None:
    delays, false_alarms = metrics.detection_delays([3, 12, 14, 31], [10, 20, 30], 40)
    assert delays.tolist() == [2.0, np.inf, 1.0]
    assert false_alarms == 2  # at 3 and 14
    delays, false_alarms = metrics.detection_delays([], [10], 40)
    assert (delays.tolist(), false_alarms) == ([np.inf], 0)
    assert metrics.detection_delays([1, 2], [], 40)[1] == 2


def one(state: int, action: int, reward: float, following: int, ends: bool) -> Transitions:
    return Transitions(
        np.array([state]),
        np.array([action]),
        np.array([reward]),
        np.array([following]),
        np.array([ends]),
    )


def test_model_error_of_a_corridor() -> None:
    """Cells 0, 1, 2 with the goal at 2; two of three tried pairs are right."""
    mdp = DynaMazeEnv(layout="S.G").mdp
    model = LatestOutcome(3, 4)
    assert np.isnan(metrics.model_error(model, mdp))
    model.update(one(0, 1, 0.0, 1, False))
    model.update(one(1, 1, 1.0, 2, True))
    assert metrics.model_error(model, mdp) == 0.0
    model.update(one(1, 3, 0.0, 1, False))  # it leads to 0
    assert metrics.model_error(model, mdp) == pytest.approx(1 / 3)
    model.update(one(2, 0, 0.0, 1, False))  # of the goal, where no action is taken
    assert metrics.model_error(model, mdp) == pytest.approx(1 / 3)
    model.update(one(1, 1, 0.0, 2, False))  # an end counts apart
    assert metrics.model_error(model, mdp) == pytest.approx(2 / 3)


def test_model_error_is_total_variation() -> None:
    mdp = DynaMazeEnv(layout="S.G\n...", slip_probability=0.4).mdp
    model = MaximumLikelihood(6, 4)
    for following in (1, 1, 1, 4):  # to the right: 1 with 0.6, 4 (below) and 1 (stopped above)
        model.update(one(1, 1, 0.0, 2, True) if following == 1 else one(1, 1, 0.0, 4, False))
    # predicted 3/4 and 1/4 against 0.6 (goal), 0.2 (below) and 0.2 (stays)
    assert metrics.model_error(model, mdp) == pytest.approx((0.15 + 0.05 + 0.2) / 2)


def test_model_error_is_unknown() -> None:
    mdp = DynaMazeEnv(layout="S.G").mdp
    assert np.isnan(metrics.model_error(None, mdp))
    assert np.isnan(metrics.model_error(LatestOutcome(3, 4), None))
    assert np.isnan(metrics.model_error(LatestOutcome(5, 4), mdp))  # of another environment


def test_planning_updates() -> None:
    assert metrics.planning_updates(DynaQ("DynaMaze-v0", planning_steps=7), 10) == 70
    assert (
        metrics.planning_updates(TreeSearch("DynaMaze-v0", model="true", simulations=9), 10) == 90
    )
    swept = DynaQ("DynaMaze-v0", planning="prioritised_sweeping", seed=0).learn(2000)
    assert 0 < metrics.planning_updates(swept, 2000) < 20_000
    iterated = DynaQ("DynaMaze-v0", planning="dynamic_programming")
    assert np.isnan(metrics.planning_updates(iterated, 10))
    assert np.isnan(metrics.planning_updates(SimpleNamespace(), 10))
