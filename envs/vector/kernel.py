"""Compiled step of a batch of grid environments, on the arrays that the single one steps by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import BoolArray, FloatArray, Int32Array, IntArray, UInt8Array
from dynamaze.common.compiled import compiled

from ..mazes.dynamics import NUM_ACTIONS, Dynamics

NEXT_STEP, SAME_STEP, DISABLED = 0, 1, 2

CHANGES, BEGINS, ENDED = 1, 2, 4
"""Marks of an environment after a step: its maze changes now; the caller must begin an episode,
after changing the maze; an episode ended in mode SAME_STEP."""


class MazeTables(NamedTuple):
    """Transition tables of several mazes, one in each slot.

    Flat arrays, the fastest in compiled code: an entry is `(slot * S + state) * 4 + direction`.
    """

    next_state: Int32Array  # (slots * S * 4,)
    reward: FloatArray  # (slots * S * 4,)
    terminated: BoolArray  # (slots * S * 4,)
    slip: FloatArray  # (slots,) the probability of a step to one side
    starts: IntArray  # (slots, most starts)
    num_starts: IntArray  # (slots,)
    num_states: int

    @classmethod
    def of(cls, mazes: Sequence[Dynamics]) -> MazeTables:
        """Return the tables of some mazes of one shape."""
        num_states = mazes[0].layout.num_cells
        slots = len(mazes)
        entries = slots * num_states * NUM_ACTIONS
        tables = cls(
            np.zeros(entries, dtype=np.int32),
            np.zeros(entries),
            np.zeros(entries, dtype=np.bool_),
            np.zeros(slots),
            np.zeros((slots, max(len(maze.starts) for maze in mazes)), dtype=np.int64),
            np.ones(slots, dtype=np.int64),
            num_states,
        )
        for slot, maze in enumerate(mazes):
            tables.put(slot, maze)
        return tables

    def put(self, slot: int, maze: Dynamics) -> None:
        """Write a maze into a slot; its starts must fit into `starts`."""
        size = self.num_states * NUM_ACTIONS
        entries = slice(slot * size, (slot + 1) * size)
        self.next_state[entries] = maze.moves.next_state.ravel()
        self.reward[entries] = maze.moves.reward.ravel()
        self.terminated[entries] = maze.moves.terminated.ravel()
        self.slip[slot] = maze.layout.slip_probability
        self.starts[slot, : len(maze.starts)] = maze.starts
        self.num_starts[slot] = len(maze.starts)

    def with_capacity(self, slots: int, starts: int) -> MazeTables:
        """Return these tables with room for at least `slots` mazes of `starts` starts each."""
        more_slots = max(0, slots - self.slip.size)
        more_starts = max(0, starts - self.starts.shape[1])
        if not more_slots + more_starts:
            return self
        entries = more_slots * self.num_states * NUM_ACTIONS
        return MazeTables(
            np.pad(self.next_state, (0, entries)),
            np.pad(self.reward, (0, entries)),
            np.pad(self.terminated, (0, entries)),
            np.pad(self.slip, (0, more_slots)),
            np.pad(self.starts, ((0, more_slots), (0, more_starts))),
            np.pad(self.num_starts, (0, more_slots), constant_values=1),
            self.num_states,
        )


class Starts(NamedTuple):
    """The part of a record of mazes that `begin_episode` reads."""

    starts: Any  # (slots, most starts) or (slots, most starts, 4)
    num_starts: IntArray  # (slots,)


class BatchedEnvState(NamedTuple):
    """State of n environments; changed in place."""

    state: IntArray  # (n,) of the agent
    world_step: IntArray  # (n,)
    slot: IntArray  # (n,) of the maze, in the tables
    next_change: IntArray  # (n,) the world step of it; the end of the clock without one
    episode: IntArray  # (n,) episodes begun since the clock started, minus one
    episode_step: IntArray  # (n,)
    done: BoolArray  # (n,) the last step ended the episode
    uniforms: FloatArray  # (n, block) random numbers drawn ahead
    next_uniform: IntArray  # (n,) the first that is not used yet

    @classmethod
    def initial(cls, num_envs: int, block: int) -> BatchedEnvState:
        """Return the state before the first reset."""
        return cls(
            state=np.full(num_envs, -1, dtype=np.int64),
            world_step=np.zeros(num_envs, dtype=np.int64),
            slot=np.zeros(num_envs, dtype=np.int64),
            next_change=np.full(num_envs, -1, dtype=np.int64),
            episode=np.full(num_envs, -1, dtype=np.int64),
            episode_step=np.zeros(num_envs, dtype=np.int64),
            done=np.zeros(num_envs, dtype=np.bool_),
            uniforms=np.empty((num_envs, block)),
            next_uniform=np.full(num_envs, block, dtype=np.int64),
        )


class StepResult(NamedTuple):
    """Result of one step of n environments."""

    reward: FloatArray  # (n,)
    terminated: BoolArray  # (n,)
    truncated: BoolArray  # (n,)
    final_state: IntArray  # (n,) before an episode begins, where one ended in mode SAME_STEP
    marks: UInt8Array  # (n,) CHANGES, BEGINS and ENDED


@compiled
def step_batch(
    tables: tuple[Any, ...],
    batch: tuple[Any, ...],
    result: tuple[Any, ...],
    actions: IntArray,
    max_episode_steps: int,
    mode: int,
    changes_at_reset: bool,
) -> int:
    """Step every environment; begin a new episode where the autoreset mode says so.

    An environment whose maze changes now, or may change with a new episode, is only marked.

    Args:
        tables: the fields of `MazeTables`; a NamedTuple takes longer to pass and to compile for.
        batch: those of `BatchedEnvState`, changed in place.
        result: those of `StepResult`, filled in.
        actions: (n,) already checked.
        max_episode_steps: the time limit; -1 for none.
        mode: NEXT_STEP, SAME_STEP or DISABLED.
        changes_at_reset: True if a new episode may bring another maze.

    Returns:
        All marks of the environments, combined.
    """
    mazes, envs, step = MazeTables(*tables), BatchedEnvState(*batch), StepResult(*result)
    marks = 0
    for i in range(actions.size):
        if mode == NEXT_STEP and envs.done[i]:
            mark = skip_step(step, i)
        else:
            reward, terminated = take_step(mazes, envs, i, actions[i])
            mark = end_step(envs, step, i, reward, terminated, max_episode_steps, mode)
        marks |= begin_or_mark(mazes, envs, step, i, mark, changes_at_reset)
    return marks


@compiled
def next_random(batch: BatchedEnvState, i: int) -> float:
    """Return the next random number of environment i."""
    number: float = batch.uniforms[i, batch.next_uniform[i]]
    batch.next_uniform[i] += 1
    return number


@compiled
def begin_episode(tables: Any, batch: BatchedEnvState, i: int) -> None:
    """Put the agent of environment i on a start of its maze."""
    slot = batch.slot[i]
    count = tables.num_starts[slot]
    choice = int(next_random(batch, i) * count) if count > 1 else 0
    put_on_start(batch.state, i, tables.starts, slot, choice)
    batch.episode_step[i] = 0
    batch.done[i] = False


@compiled
def put_on_start(states: Any, i: int, starts: Any, slot: int, choice: int) -> None:
    """Set the state of agent i, a number on a grid and a row of numbers for a point, to a start."""
    if states.ndim == 1:  # Numba compiles the branch of the agent's kind only
        states[i] = starts[slot, choice]
    else:
        for part in range(states.shape[1]):
            states[i, part] = starts[slot, choice, part]


@compiled
def take_step(
    tables: MazeTables, batch: BatchedEnvState, i: int, action: int
) -> tuple[float, bool]:
    """Move the agent of environment i: reward and terminated. The clock is left to the caller."""
    slot = batch.slot[i]
    slip = tables.slip[slot]
    direction = action
    if slip > 0.0:
        number = next_random(batch, i)
        if number >= 1.0 - slip:
            # To one side below the second threshold of `Dynamics`, otherwise to the other.
            direction = (action + 1) & 3 if number < 1.0 - slip + slip / 2 else (action + 3) & 3
    entry = (slot * tables.num_states + batch.state[i]) * 4 + direction
    batch.state[i] = tables.next_state[entry]
    return tables.reward[entry], tables.terminated[entry]


@compiled
def begin_episodes(
    starts: Any, num_starts: IntArray, batch: tuple[Any, ...], mask: BoolArray
) -> None:
    """Begin an episode in every environment of the mask.

    Args:
        starts: of `MazeTables` or of another record of mazes.
        num_starts: the same.
        batch: the fields of `BatchedEnvState`, changed in place.
        mask: (n,)
    """
    mazes, envs = Starts(starts, num_starts), BatchedEnvState(*batch)
    for i in range(mask.size):
        if mask[i]:
            begin_episode(mazes, envs, i)


@compiled
def advance_clock(batch: BatchedEnvState, i: int) -> None:
    """Count a step of environment i."""
    batch.world_step[i] += 1
    batch.episode_step[i] += 1


@compiled
def skip_step(result: StepResult, i: int) -> int:
    """Leave out a step of environment i, whose episode begins instead, and return its marks."""
    result.reward[i] = 0.0
    result.terminated[i] = result.truncated[i] = False
    return BEGINS


@compiled
def end_step(
    batch: BatchedEnvState,
    result: StepResult,
    i: int,
    reward: float,
    terminated: bool,
    max_episode_steps: int,
    mode: int,
) -> int:
    """Advance the clock of environment i after its agent moved, and return what is due as marks."""
    advance_clock(batch, i)
    truncated = batch.episode_step[i] >= max_episode_steps > 0
    done = terminated or truncated
    result.reward[i], result.terminated[i], result.truncated[i] = reward, terminated, truncated
    batch.done[i] = done
    mark = CHANGES if batch.world_step[i] == batch.next_change[i] else 0
    if done and mode == SAME_STEP:
        copy_state(batch.state, result.final_state, i)
        mark |= ENDED | BEGINS
    return mark


@compiled
def copy_state(states: Any, copies: Any, i: int) -> None:
    """Copy the state of agent i, a number on a grid and a row of numbers for a point."""
    if states.ndim == 1:  # Numba compiles the branch of the agent's kind only
        copies[i] = states[i]
    else:
        for part in range(states.shape[1]):
            copies[i, part] = states[i, part]


@compiled
def begin_or_mark(
    tables: Any,
    batch: BatchedEnvState,
    result: StepResult,
    i: int,
    mark: int,
    changes_at_reset: bool,
) -> int:
    """Begin an episode of environment i if it is due and the maze stays; return what is left."""
    if mark & BEGINS and not (mark & CHANGES or changes_at_reset):
        batch.episode[i] += 1
        begin_episode(tables, batch, i)
        mark ^= BEGINS
    result.marks[i] = mark
    return mark


def refill_uniforms(
    batch: BatchedEnvState, generators: list[np.random.Generator], at_least: int
) -> None:
    """Draw ahead in every environment that has fewer than `at_least` random numbers left.

    A step uses at most two, one to slip and one to choose a start. The order of an environment's
    numbers is that of its generator, whenever they are drawn.
    """
    block = batch.uniforms.shape[1]
    for i in np.flatnonzero(batch.next_uniform > block - at_least).tolist():
        refill_one(batch, generators[i], i)


def refill_one(batch: BatchedEnvState, generator: np.random.Generator, i: int) -> None:
    """Replace the used random numbers of environment i."""
    numbers = batch.uniforms[i]
    left = numbers.size - batch.next_uniform.item(i)
    numbers[:left] = numbers[numbers.size - left :]
    generator.random(out=numbers[left:])
    batch.next_uniform[i] = 0


def uniform_sampler(
    batch: BatchedEnvState, generators: list[np.random.Generator], i: int
) -> Callable[[], float]:
    """Return a function that draws the random numbers of environment i one by one."""

    def draw() -> float:
        if batch.next_uniform[i] == batch.uniforms.shape[1]:
            refill_one(batch, generators[i], i)
        number = float(batch.uniforms[i, batch.next_uniform[i]])
        batch.next_uniform[i] += 1
        return number

    return draw
