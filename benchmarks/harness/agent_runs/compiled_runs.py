"""Compiled runs: thousands of independent agents in mazes, on all cores.

A run calls the same compiled rules as the step-by-step agent (`Agent.steps`) and as the vector
environment, so a run and an agent with the same seed are bit-identical.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium.utils import seeding
from gymnasium.wrappers import TimeLimit

from dynamaze.agents import Agent, Planning
from dynamaze.agents.core.kernels import (
    choose,
    decision_values,
    has_rule,
    is_confident,
    plan,
    record_step,
    record_transition,
    update_model,
)
from dynamaze.agents.core.rng import load, state_words, store
from dynamaze.agents.models.table_copy import has_lookups
from dynamaze.agents.models.wrapper import ModelWrapper
from dynamaze.agents.values.table import TableValues, q_update
from dynamaze.benchmarks.harness.agent_runs.exact_regret import (
    ExactValues,
    exact_values,
    is_plain_wrapper,
)
from dynamaze.benchmarks.harness.running.threads import in_threads
from dynamaze.common.arrays import BoolArray, FloatArray, IntArray
from dynamaze.common.compiled import compiled
from dynamaze.envs import FiniteMDP, GridEnv
from dynamaze.envs.changing_maze import ChangingMaze
from dynamaze.envs.maze_config import MazeConfig
from dynamaze.envs.mazes.dynamics import Dynamics
from dynamaze.envs.mazes.layout import Layout
from dynamaze.envs.options import clock_ended
from dynamaze.envs.timing.times import LAST_STEP
from dynamaze.envs.vector.kernel import (
    BatchedEnvState,
    MazeTables,
    advance_clock,
    begin_episode,
    refill_uniforms,
    take_step,
    uniform_sampler,
)

CHUNK_STEPS = 20_000
"""Most steps between two returns to Python, where random numbers and room in the model are
prepared. The number does not influence the results."""

CHUNK_SECONDS = 0.2
"""Seconds between two returns to Python, about: only there signals and time limits are handled."""

FIRST_CHUNK, CHUNK_GROWTH = 256, 16
"""Steps of the first chunk of a run, and the largest ratio of a chunk to the one before."""

FIRST_NUMBERS = 64
"""Random numbers of the environment that are drawn at first."""


LOOP_METHODS = (
    "steps",
    "values",
    "update",
    "sample",
    "choose",
    "action_values",
    "learns_from",
    "record_transition",
    "plan",
)
"""Methods of an agent and its parts that a run step by step calls."""


class RunResults(NamedTuple):
    """Results of many runs of one agent; the first axis is the run."""

    rewards: FloatArray  # (runs, steps) of each real step; no steps where episodes were counted
    episode_steps: IntArray  # (runs, episodes) lengths; no episodes where steps were counted
    q: FloatArray  # (runs, states, actions) final action values
    episode_returns: FloatArray  # (runs, episodes) undiscounted
    regrets: FloatArray  # (runs, steps) or (runs, episodes), exact; none unless asked for
    num_episodes: IntArray  # (runs,) episodes that ended
    optimal_values: FloatArray  # (runs, steps) V* of the state before each step, with the regrets
    ended: BoolArray  # (runs, steps) whether an episode ended with the step


class RunSettings(NamedTuple):
    """Constants of a run."""

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
    callback: Callable[[], None] | None = None,
    regret_gamma: float | None = None,
) -> RunResults:
    """Run an agent many times, each time with its own seed.

    Args:
        make_agent: called with `seed=`, makes a fresh agent in a maze, for example
            `functools.partial(DynaQ, env, planning_steps=5)`. Run i gets the i-th of
            `numpy.random.SeedSequence(seed).spawn(runs)`. The environment is only read.
        runs: number of runs.
        seed: determines every number, whatever the number of workers.
        steps: real steps of each run, or
        episodes: episodes of each run.
        workers: threads; None for one on each core.
        callback: called after each run, in the calling thread.
        regret_gamma: discount of the exact regrets V*(s) - Q*(s, a) in the maze as it is at each
            step; None to leave them out.

    Returns:
        The rewards of each step, or the steps of each episode, and the final action values.

    Raises:
        ValueError: unless exactly one of `steps` and `episodes` is given, and all are positive.
        TypeError: for an agent with a part that compiled code cannot use.
    """
    if (steps is None) == (episodes is None):
        raise ValueError(f"steps={steps} and episodes={episodes}; expected exactly one of them")
    if min(number for number in (runs, steps, episodes) if number is not None) < 1:
        raise ValueError(f"runs={runs}, steps={steps}, episodes={episodes}; expected at least 1")
    size = (steps or 0, episodes or 0)
    results = in_threads(
        lambda each: run_one(make_agent(seed=each), *size, regret_gamma=regret_gamma),
        np.random.SeedSequence(seed).spawn(runs),
        workers=workers,
        callback=callback,
    )
    return RunResults(*(np.stack(column) for column in zip(*results, strict=True)))


@cache
def shared_env(env_id: str, **arguments: Any) -> gym.Env[Any, Any]:
    """Return an environment that is made once in each process, for compiled runs, which read it.

    Args:
        env_id: of `gym.make`.
        arguments: of `gym.make`; hashable.
    """
    return gym.make(env_id, **arguments)


def run_one(
    agent: Agent, steps: int, episodes: int, *, regret_gamma: float | None = None
) -> RunResults:
    """Run a fresh agent for some steps or episodes; the other is 0. No run axis."""
    return CompiledRun(agent, regret_gamma).advance(steps, episodes)


def compiled_obstacle(agent: Agent) -> str:
    """Return the reason why an agent cannot be run compiled, or "" if it can; takes no step."""
    try:
        _plain_maze(agent)
        _compiled_parts(agent)
    except (TypeError, ValueError) as error:
        return str(error)
    return ""


class CompiledRun:
    """Compiled run of a fresh agent, in pieces between which the agent may be read.

    Args:
        agent: the agent, whose parts are updated by the run; its environment is only read.
        regret_gamma: discount of the regrets; None to leave them out.

    Raises:
        TypeError: for an agent with a part, or an environment, that compiled code cannot use.
        ValueError: if the agent has taken steps already.
    """

    def __init__(self, agent: Agent, regret_gamma: float | None = None) -> None:
        self._agent = agent
        self._values, self._model, self._planning, self._exploration = _compiled_parts(agent)
        maze, limit = _plain_maze(agent)
        generator = seeding.np_random(agent.env_seed)[0]
        self._env = CompiledEnv(maze.maze_config, generator, regret_gamma)
        self._settings = RunSettings(
            self._values.learning_rate,
            self._values.gamma,
            self._planning.learns_directly,
            limit,
            maze.maze_config.changes_at_reset,
        )
        self._ahead = FIRST_CHUNK
        self._env.begin_episode()

    @property
    def changes(self) -> IntArray:
        """(changes,) world steps from which another maze held."""
        return np.array(self._env.changes, dtype=np.int64)

    @property
    def mdp(self) -> FiniteMDP:
        """The exact Markov decision process of the present maze."""
        return self._env.mdp

    def advance(self, steps: int, episodes: int) -> RunResults:
        """Continue for some steps, or to the end of some episodes; the other is 0."""
        result = RunResults(
            np.zeros(steps),
            np.zeros(episodes, dtype=np.int64),
            self._values.q,
            np.zeros(episodes),
            np.zeros(0 if self._env.exact is None else steps + episodes),
            np.int64(0),  # type: ignore[arg-type]  # a number without the axis of runs
            np.zeros(0 if self._env.exact is None else steps),
            np.zeros(steps, dtype=np.bool_),
        )
        done = np.zeros(3, dtype=np.int64)  # steps and episodes of the result, episodes that ended
        while done[0] < steps or done[1] < episodes:
            self._env.check_clock()
            ahead = min(self._ahead, steps - int(done[0])) if steps else self._ahead
            began, before = time.perf_counter(), int(self._env.state.world_step[0])
            self._env.draw_ahead(ahead)
            self._model.reserve(ahead)
            self._planning.reserve(self._values, ahead)
            run_chunk(
                self._env.tables,
                self._env.state,
                self._model.table,
                self._exploration.rule,
                self._planning.record,
                self._settings,
                state_words(self._agent.rng),
                self._env.exact,
                result,
                done,
                ahead,
            )
            taken = int(self._env.state.world_step[0]) - before
            self._ahead = next_chunk(taken, time.perf_counter() - began)
            self._env.synchronise()
        return result._replace(num_episodes=done[2])


def next_chunk(steps: int, seconds: float) -> int:
    """Return the steps of the next chunk, after one of some steps that took some seconds.

    A step may cost a microsecond or, of a long search, a second.
    """
    affordable = int(steps * CHUNK_SECONDS / max(seconds, 1e-9))
    return max(1, min(affordable, CHUNK_GROWTH * steps, CHUNK_STEPS))


class CompiledEnv:
    """Compiled environment of a single run, re-synchronised when the maze changes.

    Attributes:
        tables: the transition tables of the maze, in the only slot.
        state: the state of the environment, a batch of one.
        exact: optimal values and (states * actions,) regrets in the present maze; None without a
            discount for them.
        changes: world steps from which another maze held.
    """

    def __init__(
        self,
        config: MazeConfig,
        generator: np.random.Generator,
        regret_gamma: float | None = None,
    ) -> None:
        self._maze, self._generators = ChangingMaze(config), [generator]
        self._regret_gamma = regret_gamma
        self.exact: ExactValues | None = None
        self.changes: list[int] = []
        self._shown: Layout | None = None
        self.tables = MazeTables.of([self._maze.dynamics])
        self.state = BatchedEnvState.initial(1, FIRST_NUMBERS)
        self._maze.restart(self._draw)

    @property
    def mdp(self) -> FiniteMDP:
        """The exact Markov decision process of the present maze."""
        return self._maze.dynamics.mdp

    def _draw(self) -> float:
        """Return the next random number."""
        return uniform_sampler(self.state, self._generators, 0)()

    def draw_ahead(self, steps: int) -> None:
        """Draw the random numbers of some steps in advance, as compiled code cannot draw them.

        A step uses one to slip and one to choose the start of the next episode, where there is a
        choice.
        """
        each = int(self.tables.slip[0] > 0) + int(self.tables.num_starts[0] > 1)
        wanted = each * steps + 1  # one for the first start
        if wanted > self.state.uniforms.shape[1]:
            uniforms = np.empty((1, 2 * wanted))
            left = self.state.uniforms[:, self.state.next_uniform[0] :]
            self.state.next_uniform[0] = 2 * wanted - left.size
            uniforms[:, self.state.next_uniform[0] :] = left
            self.state = self.state._replace(uniforms=uniforms)
        refill_uniforms(self.state, self._generators, wanted)

    def check_clock(self) -> None:
        """Check that a step can be taken.

        Raises:
            RuntimeError: at the end of the clock.
        """
        if self.state.world_step[0] >= LAST_STEP:
            raise clock_ended()

    def begin_episode(self) -> None:
        """Begin an episode, in another maze where the configuration says so."""
        self._maze.begin_episode(int(self.state.world_step[0]), self._draw)
        self._update_tables()
        self.draw_ahead(0)
        begin_episode(self.tables, self.state, 0)

    def synchronise(self) -> None:
        """Apply the change, or begin the episode, at which a chunk stopped."""
        world_step = int(self.state.world_step[0])
        if world_step == self._maze.next_change:
            agent = self._maze.layout.cell(int(self.state.state[0]))
            self._maze.apply_due_changes(world_step, agent, self._draw)
            self._update_tables()
        if self.state.done[0]:
            self.begin_episode()

    def _update_tables(self) -> None:
        self.tables = self.tables.with_capacity(1, len(self._maze.dynamics.starts))
        self.tables.put(0, self._maze.dynamics)
        self.state.next_change[0] = self._maze.next_change
        layout = self._maze.layout
        if self._shown is not None and layout is not self._shown:
            self.changes.append(int(self.state.world_step[0]))
        self._shown = layout
        if self._regret_gamma is not None:
            kind = self._maze.config.dynamics
            values, regret = exact_values(layout, kind, self._regret_gamma)
            self.exact = ExactValues(values, regret.ravel())


def _plain_maze(agent: Agent) -> tuple[GridEnv, int]:
    """Return the maze of a fresh agent and its time limit, -1 for none.

    Raises:
        TypeError: if the environment is not a maze, or has a wrapper that a compiled run would
            ignore; or if it changes and the model reads it.
        ValueError: if the agent has taken steps already.
    """
    if agent.num_timesteps:
        raise ValueError(f"an agent that has taken {agent.num_timesteps} steps; expected a new one")
    env, limit = agent.env, -1
    while isinstance(env, gym.Wrapper):
        if not is_plain_wrapper(env):
            raise TypeError(
                f"a maze wrapped in {type(env).__name__}, which a compiled run would ignore; "
                "expected the wrappers of gym.make only"
            )
        if isinstance(env, TimeLimit):
            limit = env._max_episode_steps
        env = env.env
    if not isinstance(env, GridEnv):
        raise TypeError(f"environment {env}; a compiled run needs a maze of DynaMaze")
    if env.maze_config.dynamics is not Dynamics and _can_slip(env):  # LoCA slips anywhere
        raise TypeError(f"environment {env} slips otherwise than a maze; run it step by step")
    follows = any(hasattr(model, "set_env") for model in _models_of(agent))
    if follows and env.maze_config.can_change and "compiled" in agent.model.capabilities:
        raise TypeError(
            f"model {type(agent.model).__name__} reads the environment, which a compiled run does "
            "not step, in a maze that changes; run it step by step"
        )
    return env, limit


def _can_slip(env: GridEnv) -> bool:
    config = env.maze_config
    layouts = config.schedule.layouts
    return config.random_changes is not None or any(each.slip_probability > 0 for each in layouts)


def _compiled_parts(agent: Agent) -> tuple[TableValues, Any, Planning, Any]:
    """Return the values, model, planner and exploration of an agent that compiled code can use.

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
    agent.planning.reserve(agent.values, 1)
    if not has_rule(plan, agent.planning.record):
        raise TypeError(
            f"planning {agent.planning!r} has no record with a compiled rule; a compiled run needs "
            "UniformPlanning, a planner of tables, MonteCarloPlanning or TreeSearchPlanning"
        )
    obstacle = agent.planning.compiled_obstacle(agent.model)
    if obstacle:
        raise TypeError(obstacle)
    if agent.planning.needs_table and not has_lookups(agent.model):
        raise TypeError(
            f"{type(agent.planning).__name__} with model {type(agent.model).__name__}; in a "
            "compiled run it needs a model whose pairs can be looked up in its record"
        )
    if not hasattr(agent.exploration, "rule"):
        raise TypeError(f"exploration {agent.exploration!r} has no compiled rule")
    _check_overrides(agent)
    return agent.values, agent.model, agent.planning, agent.exploration


def _models_of(agent: Agent) -> Iterator[Any]:
    """Yield an agent's model and, of wrappers, the models inside."""
    model: Any = agent.model
    while model is not None:
        yield model
        model = vars(model).get("model") if isinstance(model, ModelWrapper) else None


def _check_overrides(agent: Agent) -> None:
    """Check that no method is overridden that a compiled run would ignore.

    Raises:
        TypeError: for a method of the loop that is defined outside of this package, in a part whose
            record, and so its compiled rules, are of this package.
    """
    records = (None, None, agent.planning.record, getattr(agent.exploration, "rule", None))
    parts: list[tuple[Any, Any]] = [
        *zip((agent, agent.values, agent.planning, agent.exploration), records, strict=True)
    ]
    parts += [(model, getattr(model, "table", None)) for model in _models_of(agent)]
    for part, record in parts:
        if record is not None and not _is_ours(type(record)):
            continue
        overridden = _overridden(type(part))  # type: ignore[arg-type]  # classes are hashable
        if overridden:
            raise TypeError(f"{overridden}, which a compiled run would ignore")


@lru_cache(maxsize=256)
def _overridden(kind: type) -> str:
    """Return the class outside of this package and its method of the loop, in words, or ""."""
    for name in LOOP_METHODS:
        owner = next((base for base in kind.__mro__ if name in vars(base)), None)
        if owner is not None and not _is_ours(owner):
            return f"{owner.__name__} overrides {name}"
    return ""


def _is_ours(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == __name__.partition(".")[0]


@compiled
def run_chunk(
    tables, env_state, model, exploration, planning, settings, words, exact, result, done, steps
):
    """Step and learn for some steps, until the maze may change, or until the result is full.

    Line by line the loop of `Agent.steps`; the letters are those of the box of tabular Dyna-Q
    (Sutton & Barto 2018, p. 164).
    """
    q = result.q.reshape(-1)
    num_actions = result.q.shape[1]
    columns = np.uint64(num_actions)
    learning_rate, gamma = settings.learning_rate, settings.gamma
    num_ended = 0
    rng = load(words)
    for _ in range(steps):
        if done[0] == result.rewards.size and done[1] == result.episode_steps.size:
            break
        state = env_state.state[0]  # (a)
        values, first, rng = decision_values(planning, model, q, num_actions, state, rng)
        action, rng = choose(exploration, values, first, num_actions, state, rng)  # (b)
        reward, terminated = take_step(tables, env_state, 0, action)  # (c)
        advance_clock(env_state, 0)
        following = env_state.state[0]
        pair = np.uint64(state) * columns + np.uint64(action)
        if settings.learns_directly or not is_confident(model, pair):
            q_update(q, columns, pair, reward, following, terminated, learning_rate, gamma)  # (d)
        update_model(model, num_actions, state, action, reward, following, terminated)  # (e)
        record_step(exploration, pair)
        record_transition(
            planning, model, q, num_actions, np.int64(pair), following, terminated, gamma
        )
        rng = plan(planning, model, q, num_actions, learning_rate, gamma, rng)  # (f)
        truncated = env_state.episode_step[0] >= settings.max_episode_steps > 0
        ended = terminated or truncated
        if exact is not None:  # decided while it is compiled; one of the two counts stays 0
            result.regrets[done[0] + done[1]] += exact.regret[pair]
        if result.rewards.size:
            if exact is not None:
                result.optimal_values[done[0]] = exact.values[state]
            result.rewards[done[0]] = reward
            result.ended[done[0]] = ended
            done[0] += 1
        else:
            result.episode_returns[done[1]] += reward
        if ended:
            num_ended += 1
            if result.episode_steps.size:
                result.episode_steps[done[1]] = env_state.episode_step[0]
                done[1] += 1
        changes = env_state.world_step[0] == env_state.next_change[0]
        if changes or (ended and settings.changes_at_reset):
            # Python changes the maze, and then begins the episode: `CompiledEnv.synchronise`.
            env_state.done[0] = ended
            break
        if ended:
            begin_episode(tables, env_state, 0)
    done[2] += num_ended
    store(words, rng)
