"""One run of one model in one maze: steps to solve it, errors, calibration and time.

The greedy policy is evaluated regularly. On a grid the maze is solved if its exact value at the
start is at least 95% of the optimal one. In a continuous maze ten episodes must all reach the goal
in at most twice the minimal number of steps.

A model's errors are measured on held-out transitions: from all free positions, with all actions,
uniformly, whether the agent visited them or not.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib.util import find_spec
from statistics import NormalDist
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from dynamaze.agents import DynaQ, Transitions
from dynamaze.agents.models import Outcomes, TabularAdapter
from dynamaze.agents.models.wrapper import ModelWrapper
from dynamaze.benchmarks.harness.analysis.table import Table, make_table
from dynamaze.benchmarks.harness.timing import seconds
from dynamaze.common.arrays import FloatArray
from dynamaze.envs import GridEnv

NEAR_OPTIMAL = 0.95
EPISODES = 10
"""Episodes of an evaluation of the greedy policy, where its value cannot be computed."""

STATED_PROBABILITY = 0.9
"""Probability of the models' prediction sets and intervals."""

# Half the width of the middle interval of a normal distribution, in standard deviations.
HALF_WIDTH = NormalDist().inv_cdf((1 + STATED_PROBABILITY) / 2)

ROUNDING = 1e-9

NUM_HELD_OUT = 400
SAMPLES = 1000
SKIPPED_EPISODES = 20
"""Episodes after which their lengths are compared."""


class TrialMaze(NamedTuple):
    """A maze, the agent's settings, and the times of the measurements."""

    env: str
    options: Mapping[str, Any]  # of `gymnasium.make`
    agent: Mapping[str, Any]  # of `DynaQ`
    limit: int  # real steps of a run at most
    measured_at: int  # the real step after which the model's errors are measured
    evaluation_interval: int  # real steps
    solve_from: int = 0  # the world step from which steps to solve are counted
    episodes: int = 0  # the least number of episodes of a run


ON_GRID = {"observation": "coordinates", "max_episode_steps": 2000}
TABLE = {"learning_rate": 0.1, "gamma": 0.95, "epsilon": 0.1, "planning_steps": 50}

MAZES = {
    "static": TrialMaze(
        "DynaMaze-v0", ON_GRID, TABLE, 20_000, 1000, 20, episodes=SKIPPED_EPISODES + 5
    ),
    "slippery": TrialMaze(
        "DynaMaze-v0", {**ON_GRID, "slip_probability": 0.2}, TABLE, 5000, 2000, 20
    ),
    "blocking": TrialMaze("DynaMazeBlocking-v0", ON_GRID, TABLE, 3000, 2000, 20, solve_from=1000),
    "continuous": TrialMaze(
        "DynaMazeContinuous-v0",
        {"observation": "position", "action": "discrete"},
        {**TABLE, "values": "tile_coding", "initial_value": 0.5},
        10_000,
        2000,
        250,
    ),
}
"""Mazes by name. On a grid the agent observes row and column."""


class ModelQuality(NamedTuple):
    """A model's errors and calibration on held-out transitions."""

    next_error: float  # root mean square distance, in cells, of the likeliest or mean next position
    reward_error: float  # root mean square
    coverage: float  # of its 90% prediction sets; NaN if the model gives none


def run_model(maze_name: str, model: str, run: int, seed: int) -> Table:
    """Return one run as a table of one row (see `model_comparison.run`)."""
    _one_thread()
    maze = MAZES[maze_name]
    env = gym.make(maze.env, **maze.options)
    agent = DynaQ(env, model=model, seed=np.random.SeedSequence([seed, run]), **maze.agent)
    timed = TimedModel(agent.model)
    agent.model = timed
    lengths: list[int] = []
    solved_at, quality = 0, None
    for step in agent.steps():
        now = agent.num_timesteps
        if step.terminated or step.truncated:
            lengths.append(step.episode_length)
        if now % maze.evaluation_interval == 0 and now > maze.solve_from and not solved_at:
            solved_at = now if is_solved(agent, maze, env) else 0
        if now == maze.measured_at:
            quality = measure_quality(timed.model, sample_held_out(maze, seed), agent)
        if now >= maze.limit or (quality and solved_at and len(lengths) >= maze.episodes):
            break
    rng = np.random.default_rng(run)
    sampled = [seconds(lambda: timed.model.sample(SAMPLES, rng)) for _ in range(3)]
    quality = quality or measure_quality(timed.model, sample_held_out(maze, seed), agent)
    later = lengths[SKIPPED_EPISODES : SKIPPED_EPISODES + 5] if maze.episodes else []
    return make_table(
        maze=maze_name,
        model=model,
        run=run,
        solved=int(solved_at > 0),
        steps_to_solve=(solved_at or maze.limit) - maze.solve_from,
        steps_after=float(np.mean(later)) if later else np.nan,
        **quality._asdict(),
        update_us=1e6 * timed.seconds / timed.updates,
        sample_ms=1e3 * float(np.median(sampled)),
    )


class TimedModel(ModelWrapper):
    """Model wrapper that measures the time of updates."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.seconds, self.updates = 0.0, 0

    def update(self, transitions: Transitions) -> None:
        """Update the model and add the elapsed time."""
        began = time.perf_counter()
        super().update(transitions)
        self.seconds += time.perf_counter() - began
        self.updates += len(transitions.action)


# -- solved ------------------------------------------------------------------------------------


def is_solved(agent: DynaQ, maze: TrialMaze, env: gym.Env[Any, Any]) -> bool:
    """Return whether the greedy policy solves the maze as it is now."""
    unwrapped: Any = env.unwrapped
    if isinstance(unwrapped, GridEnv):
        best = agent.values.values(np.arange(agent.rows.size)).argmax(axis=1)
        policy = np.eye(agent.num_actions)[best]
        gamma = maze.agent["gamma"]
        value = unwrapped.mdp.start @ unwrapped.mdp.policy_values(policy, gamma)
        optimal = unwrapped.mdp.start @ unwrapped.optimal_values(gamma)
        return bool(value >= NEAR_OPTIMAL * optimal)
    return all_reach_goal(agent, maze, 2 * min_steps(unwrapped))


def min_steps(env: Any) -> int:
    """Return the steps of a shortest path without noise, from the start's centre to the goal."""
    cells = env.layout.shortest_path_length - 0.5
    return int(np.ceil(cells / env.motion.step_size))


def all_reach_goal(agent: DynaQ, maze: TrialMaze, limit: int) -> bool:
    """Return whether ten episodes of the greedy policy reach the goal within a limit."""
    envs = gym.make_vec(maze.env, num_envs=EPISODES, **maze.options)
    observations, _ = envs.reset(seed=0)
    over = np.zeros(EPISODES, dtype=np.bool_)
    for _ in range(limit):
        actions, _ = agent.predict(observations, deterministic=True)
        observations, _, terminated, _, _ = envs.step(actions)
        over |= terminated
        if over.all():
            break
    return bool(over.all())


# -- errors and calibration --------------------------------------------------------------------


class HeldOutTransitions(NamedTuple):
    """Held-out real transitions; observations are positions, row and column."""

    observation: npt.NDArray[Any]  # (n, 2)
    action: npt.NDArray[np.int64]  # (n,)
    reward: FloatArray  # (n,)
    next_observation: npt.NDArray[Any]  # (n, 2)


def sample_held_out(maze: TrialMaze, seed: int) -> HeldOutTransitions:
    """Sample transitions of the maze as it is at the step of the measurement."""
    env: Any = gym.make(maze.env, **maze.options).unwrapped
    rng = np.random.default_rng(seed)
    env.reset(seed=seed, options={"world_step": maze.measured_at})
    goals = set(env.layout.goals)
    free = [cell for cell in np.argwhere(~env.layout.walls) if tuple(cell) not in goals]
    on_grid = isinstance(env, GridEnv)
    rows = []
    for _ in range(NUM_HELD_OUT):
        cell, action = free[rng.integers(len(free))], int(rng.integers(4))
        place = cell if on_grid else (cell + rng.random(2)).astype(np.float32)
        own = env.layout.index(tuple(cell)) if on_grid else [*place.tolist(), 0.0, 0.0]
        env.set_state({**env.get_state(), "state": own})
        following, reward, *_ = env.step(action)
        rows.append((place, action, reward, following))
    return HeldOutTransitions(*(np.array(column) for column in zip(*rows, strict=True)))


def measure_quality(model: Any, held_out: HeldOutTransitions, agent: DynaQ) -> ModelQuality:
    """Return a model's errors and coverage on held-out transitions."""
    seen: Any = agent.encoder.many(held_out.observation)[0]
    predicted = model.predict(seen, held_out.action)
    places = predicted.next_observation
    if places.ndim == 1:  # rows of a table
        places = np.column_stack(np.unravel_index(places, agent.rows.shape))
    apart = ((places - held_out.next_observation) ** 2).sum(axis=1)
    return ModelQuality(
        float(np.sqrt(apart.mean())),
        float(np.sqrt(((predicted.reward - held_out.reward) ** 2).mean())),
        coverage(model, held_out, agent),
    )


def coverage(model: Any, held_out: HeldOutTransitions, agent: DynaQ) -> float:
    """Return the fraction of next positions within the model's 90% prediction sets.

    For a table that is the smallest set of next positions with probability 90%; for a model with
    standard deviations the middle 90% of a normal distribution, for row and column each.
    """
    seen: Any = agent.encoder.many(held_out.observation)[0]
    if isinstance(model, TabularAdapter):
        # The wrapped model has standard deviations; the rows of a table have none.
        model, seen = model.model, model.vectors.of_rows(seen)
    if "distribution" in model.capabilities:
        following: Any = agent.encoder.many(held_out.next_observation)[0]
        sets = [
            _credible(model.distribution(*pair)) for pair in zip(seen, held_out.action, strict=True)
        ]
        inside = [after in likely for after, likely in zip(following, sets, strict=True)]
        return float(np.mean(inside))
    if "uncertainty" not in model.capabilities:
        return float("nan")
    predicted = model.predict(seen, held_out.action)
    apart = np.abs(predicted.next_observation - held_out.next_observation)
    return float((apart <= HALF_WIDTH * predicted.next_spread + ROUNDING).mean())


def _credible(outcomes: Outcomes) -> set[int]:
    """Return the smallest set of next states with the stated probability."""
    states, numbers = np.unique(outcomes.next_observation, return_inverse=True)
    probability = np.bincount(numbers, outcomes.probability)
    order = np.argsort(-probability, kind="stable")
    before = np.concatenate(([0.0], probability[order].cumsum()[:-1]))
    return set(states[order[before < STATED_PROBABILITY - ROUNDING]].tolist())


def _one_thread() -> None:
    """Limit torch, if installed, to one thread: each process has one core."""
    if find_spec("torch"):
        import torch

        torch.set_num_threads(1)
