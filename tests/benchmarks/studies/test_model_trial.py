"""Errors, calibration and solving of one run."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401  # registers the environments
from dynamaze.agents import DynaQ, Transitions
from dynamaze.benchmarks.studies import model_trial
from dynamaze.benchmarks.studies.model_trial import (
    MAZES,
    is_solved,
    measure_quality,
    sample_held_out,
)

NAMES = ("latest_outcome", "maximum_likelihood", "bayesian_linear")


def fully_trained(name: str, maze_name: str, each: int) -> tuple[DynaQ, Any]:
    """Return an agent whose model has seen each pair of a maze `each` times, and the maze."""
    maze = MAZES[maze_name]
    env = gym.make(maze.env, **maze.options)
    agent = DynaQ(env, model=name, seed=0, **maze.agent)
    unwrapped: Any = env.unwrapped
    env.reset(seed=0, options={"world_step": maze.measured_at})
    for cell in np.argwhere(~unwrapped.layout.walls):
        for action in range(4):
            for _ in range(each):
                unwrapped.set_state(
                    {**unwrapped.get_state(), "state": unwrapped.layout.index(tuple(cell))}
                )
                after, reward, terminated, *_ = unwrapped.step(action)
                encode = agent.encoder.one
                agent.model.update(
                    Transitions(
                        np.array([encode(cell)]),
                        np.array([action]),
                        np.array([reward]),
                        np.array([encode(after)]),
                        np.array([terminated]),
                    )
                )
    return agent, unwrapped


@pytest.mark.parametrize("maze", ["static", "blocking"])
@pytest.mark.parametrize("name", NAMES)
def test_full_experience_predicts_exactly(name: str, maze: str) -> None:
    agent, _ = fully_trained(name, maze, 6)
    quality = measure_quality(agent.model, sample_held_out(MAZES[maze], 0), agent)
    assert quality.next_error == pytest.approx(0, abs=0.01)
    assert quality.reward_error == pytest.approx(0, abs=0.3)
    assert quality.coverage > 0.95


def test_coverage_with_slips() -> None:
    """Slips to each side have 10%: a 90% set has the step as meant and one slip, 90% in truth.

    Over 400 transitions the deviation is 0.015, and 4.5 of them are allowed. Where two of the
    three lead to the same cell the set has more than 90%, so coverage may be above.
    """
    truth = sample_held_out(MAZES["slippery"], 0)
    agent, _ = fully_trained("maximum_likelihood", "slippery", 100)
    assert 0.9 - 4.5 * 0.015 < measure_quality(agent.model, truth, agent).coverage < 1
    agent, _ = fully_trained("latest_outcome", "slippery", 20)
    assert measure_quality(agent.model, truth, agent).coverage < 0.85


def test_optimal_values_solve_grid() -> None:
    agent, unwrapped = fully_trained("latest_outcome", "static", 1)
    env: Any = agent.env
    assert not is_solved(agent, MAZES["static"], env)
    agent.values.q[:] = unwrapped.optimal_action_values(0.95)
    assert is_solved(agent, MAZES["static"], env)


def test_shortest_paths_solve_continuous_maze() -> None:
    maze = MAZES["continuous"]
    env = gym.make(maze.env, **maze.options)
    agent = DynaQ(env, model="stored_experience", seed=0, **maze.agent)
    assert not is_solved(agent, maze, env)
    best = shortest_path_policy(env)
    agent.predict = lambda places, **_: (  # type: ignore[method-assign, assignment]
        np.array([best[tuple(place)] for place in places.astype(int)]),
        None,
    )
    assert is_solved(agent, maze, env)


def shortest_path_policy(env: gym.Env[Any, Any]) -> Any:
    """Return the action on the shortest path from each cell, (rows, cols)."""
    grid: Any = gym.make("DynaMaze-v0").unwrapped
    layout = grid.layout
    return grid.optimal_policy(0.95).argmax(axis=1).reshape(layout.rows, layout.cols)


def test_half_width_is_normal_quantile() -> None:
    assert pytest.approx(1.6449, abs=1e-4) == model_trial.HALF_WIDTH
