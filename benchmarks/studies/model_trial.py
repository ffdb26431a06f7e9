"""One run of one model in one maze: when it solves it, how right it is, and how long it takes.

"Solved" is said of the greedy policy, which is looked at again and again. On a grid its value at
the start is computed exactly and must be at least 95% of the optimal one. In a continuous maze ten
episodes of it must all reach the goal in no more than twice the steps that the way takes at least.

How right a model is, is measured on transitions that nobody learned from: from all places that are
free, with all actions, in equal shares, whether the agent was there or not.
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
from dynamaze.common.arrays import FloatArray
from dynamaze.envs import GridEnv

from ..harness.table import Table
from ..harness.timing import seconds

NEAR_OPTIMAL = 0.95
EPISODES = 10
"""Of the greedy policy at each look, where it cannot be computed."""

STATED = 0.9
"""The probability that the interval has which a model states."""

HALF_WIDTH = NormalDist().inv_cdf((1 + STATED) / 2)

ROUNDING = 1e-9

HELD_OUT = 400
SAMPLES = 1000
AFTER = 20
"""Episodes after which their lengths are compared."""


class Maze(NamedTuple):
    """A maze, what learns in it, and what is measured when."""

    env: str
    options: Mapping[str, Any]  # of `gymnasium.make`
    agent: Mapping[str, Any]  # of `DynaQ`
    limit: int  # real steps of a run at most
    measured_at: int  # the real step after which the model is put to the test
    look_every: int  # real steps
    solve_from: int = 0  # the world step from which steps to solve are counted
    episodes: int = 0  # a run goes on for so many


ON_GRID = {"observation": "coordinates", "max_episode_steps": 2000}
TABLE = {"learning_rate": 0.1, "gamma": 0.95, "epsilon": 0.1, "planning_steps": 50}

MAZES = {
    "static": Maze("DynaMaze-v0", ON_GRID, TABLE, 20_000, 1000, 20, episodes=AFTER + 5),
    "slippery": Maze("DynaMaze-v0", {**ON_GRID, "slip_probability": 0.2}, TABLE, 5000, 2000, 20),
    "blocking": Maze("DynaMazeBlocking-v0", ON_GRID, TABLE, 3000, 2000, 20, solve_from=1000),
    "continuous": Maze(
        "DynaMazeContinuous-v0",
        {"observation": "position", "action": "discrete"},
        {**TABLE, "values": "tile_coding", "initial_value": 0.5},
        10_000,
        2000,
        250,
    ),
}
"""Name -> maze. Those on a grid tell the agent its row and column."""


class Quality(NamedTuple):
    """How right a model is on held-out transitions."""

    next_error: float  # root mean square distance, in cells, of the likeliest or mean next place
    reward_error: float  # root mean square
    coverage: float  # how often the truth lies within the stated 90%; NaN of one that states none


def trial(maze_name: str, model: str, run: int, seed: int) -> Table:
    """One run; a table of one row, see `dynamaze.benchmarks.studies.model_comparison.run`."""
    _one_thread()
    maze = MAZES[maze_name]
    env = gym.make(maze.env, **maze.options)
    agent = DynaQ(env, model=model, seed=np.random.SeedSequence([seed, run]), **maze.agent)
    clock = Clock(agent.model)
    agent.model = clock
    lengths: list[int] = []
    solved_at, quality = 0, None
    for step in agent.steps():
        now = agent.num_timesteps
        if step.terminated or step.truncated:
            lengths.append(step.episode_length)
        if now % maze.look_every == 0 and now > maze.solve_from and not solved_at:
            solved_at = now if is_solved(agent, maze, env) else 0
        if now == maze.measured_at:
            quality = measure(clock.model, held_out(maze, seed), agent)
        if now >= maze.limit or (quality and solved_at and len(lengths) >= maze.episodes):
            break
    rng = np.random.default_rng(run)
    sampled = [seconds(lambda: clock.model.sample(SAMPLES, rng)) for _ in range(3)]
    quality = quality or measure(clock.model, held_out(maze, seed), agent)
    later = lengths[AFTER : AFTER + 5] if maze.episodes else []
    row: dict[str, Any] = {
        "maze": maze_name,
        "model": model,
        "run": run,
        "solved": int(solved_at > 0),
        "steps_to_solve": (solved_at or maze.limit) - maze.solve_from,
        "steps_after": float(np.mean(later)) if later else np.nan,
        **quality._asdict(),
        "update_us": 1e6 * clock.seconds / clock.updates,
        "sample_ms": 1e3 * float(np.median(sampled)),
    }
    return {name: np.array([value]) for name, value in row.items()}


class Clock:
    """A model, and how long its updates take."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.seconds, self.updates = 0.0, 0

    def update(self, transitions: Transitions) -> None:
        """Have the model learn, and see how long it takes."""
        began = time.perf_counter()
        self.model.update(transitions)
        self.seconds += time.perf_counter() - began
        self.updates += len(transitions.action)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)


# -- solved ------------------------------------------------------------------------------------


def is_solved(agent: DynaQ, maze: Maze, env: gym.Env[Any, Any]) -> bool:
    """Whether the greedy policy is good in the maze as it is now."""
    world: Any = env.unwrapped
    if isinstance(world, GridEnv):
        best = agent.values.values(np.arange(agent.rows.size)).argmax(axis=1)
        policy = np.eye(agent.num_actions)[best]
        gamma = maze.agent["gamma"]
        value = world.mdp.start @ world.mdp.policy_values(policy, gamma)
        optimal = world.mdp.start @ world.optimal_values(gamma)
        return bool(value >= NEAR_OPTIMAL * optimal)
    return all_arrive(agent, maze, 2 * least_steps(world))


def least_steps(world: Any) -> int:
    """Steps that the shortest way from cell to cell takes without noise, from the middle of one."""
    cells = world.layout.shortest_path_length - 0.5
    return int(np.ceil(cells / world.motion.step_size))


def all_arrive(agent: DynaQ, maze: Maze, limit: int) -> bool:
    """Whether ten episodes of the greedy policy reach the goal within so many steps."""
    worlds = gym.make_vec(maze.env, num_envs=EPISODES, **maze.options)
    observations, _ = worlds.reset(seed=0)
    over = np.zeros(EPISODES, dtype=np.bool_)
    for _ in range(limit):
        actions, _ = agent.predict(observations, deterministic=True)
        observations, _, terminated, _, _ = worlds.step(actions)
        over |= terminated
        if over.all():
            break
    return bool(over.all())


# -- right -------------------------------------------------------------------------------------


class HeldOut(NamedTuple):
    """Real transitions from which nobody learned; what is observed is the place, row and column."""

    observation: npt.NDArray[Any]  # (n, 2)
    action: npt.NDArray[np.int64]  # (n,)
    reward: FloatArray  # (n,)
    next_observation: npt.NDArray[Any]  # (n, 2)


def held_out(maze: Maze, seed: int) -> HeldOut:
    """Transitions of the maze as it is at the step at which models are measured."""
    world: Any = gym.make(maze.env, **maze.options).unwrapped
    rng = np.random.default_rng(seed)
    world.reset(seed=seed, options={"world_step": maze.measured_at})
    goals = set(world.layout.goals)
    free = [cell for cell in np.argwhere(~world.layout.walls) if tuple(cell) not in goals]
    on_grid = isinstance(world, GridEnv)
    rows = []
    for _ in range(HELD_OUT):
        cell, action = free[rng.integers(len(free))], int(rng.integers(4))
        place = cell if on_grid else (cell + rng.random(2)).astype(np.float32)
        own = world.layout.index(tuple(cell)) if on_grid else [*place.tolist(), 0.0, 0.0]
        world.set_state({**world.get_state(), "state": own})
        following, reward, *_ = world.step(action)
        rows.append((place, action, reward, following))
    return HeldOut(*(np.array(column) for column in zip(*rows, strict=True)))


def measure(model: Any, truth: HeldOut, agent: DynaQ) -> Quality:
    """How right a model is."""
    seen: Any = agent.encoder.many(truth.observation)[0]
    believed = model.predict(seen, truth.action)
    places = believed.next_observation
    if places.ndim == 1:  # rows of a table
        places = np.column_stack(np.unravel_index(places, agent.rows.shape))
    apart = ((places - truth.next_observation) ** 2).sum(axis=1)
    return Quality(
        float(np.sqrt(apart.mean())),
        float(np.sqrt(((believed.reward - truth.reward) ** 2).mean())),
        coverage(model, truth, agent),
    )


def coverage(model: Any, truth: HeldOut, agent: DynaQ) -> float:
    """How often the next place lies within what the model states with 90%.

    Of a table that is the smallest set of next places that has 90%; of a model with spreads the
    middle 90% of a normal distribution, for row and column each.
    """
    seen: Any = agent.encoder.many(truth.observation)[0]
    if isinstance(
        model, TabularAdapter
    ):  # its vectors have spreads, and rows are what became of them
        model, seen = model.model, model.vectors.of_rows(seen)
    if "distribution" in model.capabilities:
        following: Any = agent.encoder.many(truth.next_observation)[0]
        stated = [
            _credible(model.distribution(*pair)) for pair in zip(seen, truth.action, strict=True)
        ]
        inside = [after in likely for after, likely in zip(following, stated, strict=True)]
        return float(np.mean(inside))
    if "uncertainty" not in model.capabilities:
        return float("nan")
    believed = model.predict(seen, truth.action)
    apart = np.abs(believed.next_observation - truth.next_observation)
    return float((apart <= HALF_WIDTH * believed.next_spread + ROUNDING).mean())


def _credible(outcomes: Outcomes) -> set[int]:
    """The smallest set of next states that has the stated probability."""
    states, numbers = np.unique(outcomes.next_observation, return_inverse=True)
    probability = np.bincount(numbers, outcomes.probability)
    order = np.argsort(-probability, kind="stable")
    before = np.concatenate(([0.0], probability[order].cumsum()[:-1]))
    return set(states[order[before < STATED - ROUNDING]].tolist())


def _one_thread() -> None:
    """Have torch, where there is one, compute with one thread: each process has one core."""
    if find_spec("torch"):
        import torch

        torch.set_num_threads(1)
