"""Whole runs, compiled: thousands of independent agents, on all cores.

A run is built from the same rules as the step-by-step agent (`Agent.steps`) and the same step of
the world as the vector environment, so a run and an agent with the same seed give the same bits.
Threads share the work, for compiled code holds no lock.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium.utils import seeding
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit

from dynamaze.agents import Agent, UniformPlanning
from dynamaze.agents.core.kernels import (
    choose,
    draw,
    improve,
    note,
    observe,
    remember,
    rule,
    share,
)
from dynamaze.agents.core.rng import load, state_words, store
from dynamaze.agents.core.shares import is_trusted, shared_steps
from dynamaze.agents.models.table_copy import has_lookups
from dynamaze.agents.planning.table import TablePlanning
from dynamaze.agents.values.table import TableValues, q_update
from dynamaze.common.arrays import FloatArray, IntArray
from dynamaze.common.compiled import compiled, spliced
from dynamaze.envs import GridEnv
from dynamaze.envs.changing_maze import Course, World
from dynamaze.envs.vector.kernel import (
    Ground,
    Lives,
    begin_episode,
    drawer,
    refill,
    take_step,
    tick,
)

PLAIN_WRAPPERS = (OrderEnforcing, PassiveEnvChecker, TimeLimit)
"""What `gym.make` puts round a maze."""

CHUNK_STEPS = 20_000
"""Between chunks of so many steps Python draws random numbers ahead and makes room in the model."""

NUMBERS_AHEAD = 2 * CHUNK_STEPS + 1
"""A step uses at most two random numbers of the world."""


class Runs(NamedTuple):
    """What many runs of one agent gave; the first axis is the run."""

    rewards: FloatArray  # (runs, steps) of each real step; no steps where episodes were counted
    episode_steps: IntArray  # (runs, episodes) their lengths; no episodes where steps were counted
    q: FloatArray  # (runs, states, actions) the action values in the end


class Settings(NamedTuple):
    """The numbers of a run."""

    learning_rate: float
    gamma: float
    learns_directly: bool
    max_episode_steps: int  # -1 for no limit
    changes_at_reset: bool  # whether a new episode may bring another maze


def run_many(
    make_agent: Callable[..., Agent],
    *,
    runs: int,
    seed: int,
    steps: int | None = None,
    episodes: int | None = None,
    workers: int | None = None,
    on_run: Callable[[], None] | None = None,
) -> Runs:
    """Run an agent many times, each time with its own seed.

    Args:
        make_agent: called with `seed=`, makes a fresh agent in a maze, for example
            `functools.partial(DynaQ, env, planning_steps=5)`. Run i gets the i-th of
            `numpy.random.SeedSequence(seed).spawn(runs)`. The environment is only read.
        runs: how many.
        seed: settles every number, whatever the number of workers.
        steps: real steps of each run, or
        episodes: episodes of each run.
        workers: threads; None for one on each core.
        on_run: called after each run, in the calling thread.

    Returns:
        The rewards of each step, or the steps of each episode, and the last action values.

    Raises:
        ValueError: unless exactly one of `steps` and `episodes` is given, and all are positive.
        TypeError: for an agent with a part that compiled code cannot use.
    """
    if (steps is None) == (episodes is None):
        raise ValueError(f"steps={steps} and episodes={episodes}; expected exactly one of them")
    if min(number for number in (runs, steps, episodes) if number is not None) < 1:
        raise ValueError(f"runs={runs}, steps={steps}, episodes={episodes}; expected at least 1")
    size = (steps or 0, episodes or 0)
    seeds = np.random.SeedSequence(seed).spawn(runs)
    # The first run, alone, compiles the code that all share.
    results = [run_one(make_agent(seed=seeds[0]), *size)]
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        try:
            for result in pool.map(lambda each: run_one(make_agent(seed=each), *size), seeds[1:]):
                results.append(result)
                if on_run is not None:
                    on_run()
        except BaseException:  # Ctrl-C above all: what has not begun need not begin
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    if on_run is not None:
        on_run()
    return Runs(*(np.stack(column) for column in zip(*results, strict=True)))


def run_one(agent: Agent, steps: int, episodes: int) -> Runs:
    """One run of a fresh agent, to so many steps or episodes; the other is 0. No run axis."""
    return Life(agent).live(steps, episodes)


class Life:
    """A run of a fresh agent, which may be looked at between its pieces.

    Args:
        agent: it and its parts live on with the run; its environment is only read.

    Raises:
        TypeError: for an agent with a part, or an environment, that compiled code cannot use.
        ValueError: if the agent has lived already.
    """

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._values, self._model, self._exploration = _compiled_parts(agent)
        maze, limit = _plain_maze(agent)
        self._place = Place(maze.course, seeding.np_random(agent.world_seed)[0])
        self._settings = Settings(
            self._values.learning_rate,
            self._values.gamma,
            agent.planning.learns_directly,
            limit,
            maze.course.changes_at_reset,
        )
        self._place.begin_episode()

    def live(self, steps: int, episodes: int) -> Runs:
        """Go on for so many steps, or to the end of so many episodes; the other is 0."""
        result = Runs(np.zeros(steps), np.zeros(episodes, dtype=np.int64), self._values.q)
        done = np.zeros(2, dtype=np.int64)  # steps and episodes
        while done[0] < steps or done[1] < episodes:
            self._place.draw_ahead()
            self._model.reserve(CHUNK_STEPS)
            run_chunk(
                self._place.ground,
                self._place.lives,
                self._model.table,
                self._exploration.rule,
                self._planner(),
                self._settings,
                state_words(self._agent.rng),
                result,
                done,
            )
            self._place.catch_up()
        return result

    def _planner(self) -> Any:
        """The planner's record, with room for a chunk."""
        planning: Any = self._agent.planning
        if isinstance(planning, UniformPlanning):
            return Drawing(planning.planning_steps)
        planning.reserve(self._values, CHUNK_STEPS)
        return planning.record


class Place:
    """The world of one run: what is compiled of it, and the maze that changes now and then.

    Attributes:
        ground: the maze in the one slot that there is.
        lives: what the world remembers.
    """

    def __init__(self, course: Course, generator: np.random.Generator) -> None:
        self._world, self._generators = World(course), [generator]
        self.ground = Ground.of([self._world.dynamics])
        self.lives = Lives.begin(1, 2 * NUMBERS_AHEAD)
        self._draw = drawer(self.lives, self._generators, 0)
        self._world.restart(self._draw)

    def draw_ahead(self) -> None:
        """Have the random numbers of a chunk."""
        refill(self.lives, self._generators, NUMBERS_AHEAD)

    def begin_episode(self) -> None:
        """Begin an episode, in another maze where the course says so."""
        self._world.begin_episode(int(self.lives.world_step[0]), self._draw)
        self._settle()
        self.draw_ahead()
        begin_episode(self.ground, self.lives, 0)

    def catch_up(self) -> None:
        """Do what a chunk stopped for: a change, an episode in a maze yet to come."""
        world_step = int(self.lives.world_step[0])
        if world_step == self._world.next_change:
            agent = self._world.layout.cell(int(self.lives.state[0]))
            self._world.advance(world_step, agent, self._draw)
            self._settle()
        if self.lives.done[0]:
            self.begin_episode()

    def _settle(self) -> None:
        self.ground = self.ground.with_room(1, len(self._world.dynamics.starts))
        self.ground.put(0, self._world.dynamics)
        self.lives.next_change[0] = self._world.next_change


def _plain_maze(agent: Agent) -> tuple[GridEnv, int]:
    """The maze of a fresh agent and its time limit, -1 for none.

    Raises:
        TypeError: if the environment is not a maze, or has a wrapper of which a compiled run would
            know nothing.
        ValueError: if the agent has lived already.
    """
    if agent.num_timesteps:
        raise ValueError(f"an agent that has lived {agent.num_timesteps} steps; expected a new one")
    env, limit = agent.env, -1
    while isinstance(env, gym.Wrapper):
        if not isinstance(env, PLAIN_WRAPPERS):
            raise TypeError(f"a maze in {type(env).__name__}, of which compiled runs know nothing")
        if isinstance(env, TimeLimit):
            limit = env._max_episode_steps
        env = env.env
    if not isinstance(env, GridEnv):
        raise TypeError(f"environment {env}; a compiled run needs a maze of DynaMaze")
    return env, limit


def _compiled_parts(agent: Agent) -> tuple[TableValues, Any, Any]:
    """The parts of an agent that compiled code can use.

    Raises:
        TypeError: if one of them is of another kind.
    """
    if not isinstance(agent.values, TableValues):
        raise TypeError(f"values {agent.values!r}; a compiled run needs TableValues")
    if "compiled" not in agent.model.capabilities:
        raise TypeError(
            f"model {type(agent.model).__name__} does not declare 'compiled'; a compiled run needs "
            "a model whose memory is a record (see dynamaze.agents.core.kernels)"
        )
    if not isinstance(agent.planning, (UniformPlanning, TablePlanning)):
        raise TypeError(
            f"planning {agent.planning!r}; a compiled run needs UniformPlanning or a planner of "
            "tables"
        )
    if isinstance(agent.planning, TablePlanning) and not has_lookups(agent.model):
        raise TypeError(
            f"{type(agent.planning).__name__} with model {type(agent.model).__name__}; in a "
            "compiled run it needs a model whose pairs can be looked up in its record"
        )
    if not hasattr(agent.exploration, "rule"):
        raise TypeError(f"exploration {agent.exploration!r} has no compiled rule")
    return agent.values, agent.model, agent.exploration


@compiled
def run_chunk(ground, lives, model, exploration, planning, settings, words, result, done):
    """Live and learn for a chunk of steps, until the maze may change, or until the result is full.

    It is `Agent.steps` line by line; the letters are those of the box on p. 164 of Sutton & Barto.
    """
    q = result.q.reshape(-1)
    num_actions = result.q.shape[1]
    columns = np.uint64(num_actions)
    learning_rate, gamma = settings.learning_rate, settings.gamma
    rng = load(words)
    for _ in range(CHUNK_STEPS):
        if done[0] == result.rewards.size and done[1] == result.episode_steps.size:
            break
        state = lives.state[0]  # (a)
        action, rng = choose(exploration, q, state * num_actions, num_actions, state, rng)  # (b)
        reward, terminated = take_step(ground, lives, 0, action)  # (c)
        tick(lives, 0)
        following = lives.state[0]
        pair = np.uint64(state) * columns + np.uint64(action)
        if settings.learns_directly or not is_trusted(model, pair):
            q_update(q, columns, pair, reward, following, terminated, learning_rate, gamma)  # (d)
        observe(model, num_actions, state, action, reward, following, terminated)  # (e)
        note(exploration, pair)
        remember(planning, model, q, num_actions, np.int64(pair), following, terminated, gamma)
        rng = improve(planning, model, q, num_actions, learning_rate, gamma, rng)  # (f)
        if result.rewards.size:
            result.rewards[done[0]] = reward
            done[0] += 1
        truncated = lives.episode_step[0] >= settings.max_episode_steps > 0
        ended = terminated or truncated
        if ended and result.episode_steps.size:
            result.episode_steps[done[1]] = lives.episode_step[0]
            done[1] += 1
        changes = lives.world_step[0] == lives.next_change[0]
        if changes or (ended and settings.changes_at_reset):
            lives.done[0] = ended
            break
        if ended:
            begin_episode(ground, lives, 0)
    store(words, rng)


class Drawing(NamedTuple):
    """The planning of `UniformPlanning`, as a record."""

    planning_steps: int


@rule(remember, Drawing)
@compiled
def remember_nothing(planning, model, q, num_actions, pair, next_state, terminated, gamma):
    """The model remembers what was seen."""


@rule(improve, Drawing)
@compiled
def plan(planning, model, q, num_actions, learning_rate, gamma, rng):
    """Draw a transition, update, n times. Gives the generator's state."""
    if num_actions == 4:  # a constant lets the compiler unroll the row's maximum
        return _plan(planning, model, q, np.uint64(4), learning_rate, gamma, rng)
    return _plan(planning, model, q, np.uint64(num_actions), learning_rate, gamma, rng)


@spliced
def _plan(planning, model, q, num_actions, learning_rate, gamma, rng):
    for _ in range(shared_steps(planning.planning_steps, share(model))):
        pair, reward, following, terminated, rng = draw(model, num_actions, rng)
        if is_trusted(model, pair):
            q_update(q, num_actions, pair, reward, following, terminated, learning_rate, gamma)
    return rng
