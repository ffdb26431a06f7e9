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
import numpy.typing as npt
from gymnasium.utils import seeding
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit

from dynamaze.agents import Agent, UniformPlanning
from dynamaze.agents.dispatch import choose, draw, note, observe
from dynamaze.agents.rng import load, state_words, store
from dynamaze.agents.values import TableValues, q_update
from dynamaze.compiled import compiled, spliced
from dynamaze.envs import DynaMazeEnv
from dynamaze.envs.vector_kernel import Lives, World, begin_episode, refill, take_step

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


PLAIN_WRAPPERS = (OrderEnforcing, PassiveEnvChecker, TimeLimit)
"""What `gym.make` puts round a maze."""

CHUNK_STEPS = 20_000
"""Between chunks of so many steps Python draws random numbers ahead and makes room in the model."""


class Runs(NamedTuple):
    """What many runs of one agent gave; the first axis is the run."""

    rewards: FloatArray  # (runs, steps) of each real step; no steps where episodes were counted
    episode_steps: IntArray  # (runs, episodes) their lengths; no episodes where steps were counted
    q: FloatArray  # (runs, states, actions) the action values in the end


class Settings(NamedTuple):
    """The numbers of a run."""

    learning_rate: float
    gamma: float
    planning_steps: int
    max_episode_steps: int  # -1 for no limit


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
    values, model, exploration = _compiled_parts(agent)
    maze, limit = _plain_maze(agent)
    world = World.of(maze.tables)
    generator, _ = seeding.np_random(agent.world_seed)
    lives = Lives.begin(1, 2 * CHUNK_STEPS + 1 if maze.is_random else 0)
    result = Runs(np.zeros(steps), np.zeros(episodes, dtype=np.int64), values.q)
    settings = Settings(
        values.learning_rate,
        values.gamma,
        agent.planning.planning_steps,
        limit,
    )
    done = np.zeros(2, dtype=np.int64)  # steps and episodes
    while done[0] < steps or done[1] < episodes:
        refill(lives, [generator], at_least=lives.uniforms.shape[1])
        model.reserve(CHUNK_STEPS)
        run_chunk(
            world,
            lives,
            model.table,
            exploration.rule,
            settings,
            state_words(agent.rng),
            result,
            done,
        )
    return result


def _plain_maze(agent: Agent) -> tuple[DynaMazeEnv, int]:
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
    if not isinstance(env, DynaMazeEnv):
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
            "a model whose memory is a record (see dynamaze.agents.dispatch)"
        )
    if not isinstance(agent.planning, UniformPlanning):
        raise TypeError(f"planning {agent.planning!r}; a compiled run needs UniformPlanning")
    if not hasattr(agent.exploration, "rule"):
        raise TypeError(f"exploration {agent.exploration!r} has no compiled rule")
    return agent.values, agent.model, agent.exploration


@compiled
def run_chunk(world, lives, model, exploration, settings, words, result, done):
    """Live and learn for a chunk of steps, or until the result is full.

    It is `Agent.steps` line by line; the letters are those of the box on p. 164 of Sutton & Barto.
    """
    q = result.q.reshape(-1)
    num_actions = result.q.shape[1]
    columns = np.uint64(num_actions)
    rng = load(words)
    if lives.state[0] < 0:
        begin_episode(world, lives, 0)
    for _ in range(CHUNK_STEPS):
        if done[0] == result.rewards.size and done[1] == result.episode_steps.size:
            break
        state = lives.state[0]  # (a)
        action, rng = choose(exploration, q, state * num_actions, num_actions, state, rng)  # (b)
        reward, terminated = take_step(world, lives, 0, action)  # (c)
        following = lives.state[0]
        pair = np.uint64(state) * columns + np.uint64(action)
        q_update(
            q, columns, pair, reward, following, terminated, settings.learning_rate, settings.gamma
        )  # (d)
        observe(model, num_actions, state, action, reward, following, terminated)  # (e)
        note(exploration, pair)
        rng = plan(q, columns, model, settings, rng)  # (f)
        if result.rewards.size:
            result.rewards[done[0]] = reward
            done[0] += 1
        truncated = lives.episode_step[0] >= settings.max_episode_steps > 0
        if terminated or truncated:
            if result.episode_steps.size:
                result.episode_steps[done[1]] = lives.episode_step[0]
                done[1] += 1
            begin_episode(world, lives, 0)
    store(words, rng)


@compiled
def plan(q, num_actions, model, settings, rng):
    """The planning phase: draw a transition, update, n times. Gives the generator's state."""
    if num_actions == np.uint64(4):  # a constant lets the compiler unroll the row's maximum
        return _plan(q, np.uint64(4), model, settings, rng)
    return _plan(q, num_actions, model, settings, rng)


@spliced
def _plan(q, num_actions, model, settings, rng):
    learning_rate, gamma = settings.learning_rate, settings.gamma
    for _ in range(settings.planning_steps):
        pair, reward, following, terminated, rng = draw(model, num_actions, rng)
        q_update(q, num_actions, pair, reward, following, terminated, learning_rate, gamma)
    return rng
