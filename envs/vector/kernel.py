"""Compiled step of a batch of grid environments, on the arrays that the single one steps by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import BoolArray, FloatArray, Int32Array, IntArray
from dynamaze.common.compiled import compiled, compiled_with_arrays

from ..mazes.dynamics import NUM_ACTIONS, Dynamics

NEXT_STEP, SAME_STEP, DISABLED = 0, 1, 2


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

    state: IntArray  # (n,)
    reward: FloatArray  # (n,)
    terminated: BoolArray  # (n,)
    truncated: BoolArray  # (n,)
    final_state: IntArray  # (n,) before an episode begins
    ended: BoolArray  # (n,) an episode ended in mode SAME_STEP
    changes: BoolArray  # (n,) the maze changes now
    begins: BoolArray  # (n,) the caller must begin an episode, after changing the maze


@compiled_with_arrays
def step_batch(
    tables: MazeTables,
    batch: BatchedEnvState,
    actions: IntArray,
    max_episode_steps: int,
    mode: int,
    changes_at_reset: bool,
) -> StepResult:
    """Step every environment; begin a new episode where the autoreset mode says so.

    An environment whose maze changes now, or may change with a new episode, is only marked.

    Args:
        tables: the mazes.
        batch: the state of the environments, changed in place.
        actions: (n,) already checked.
        max_episode_steps: the time limit; -1 for none.
        mode: NEXT_STEP, SAME_STEP or DISABLED.
        changes_at_reset: True if a new episode may bring another maze.
    """
    result: StepResult = empty_result(batch.state)
    for i in range(actions.size):
        if mode == NEXT_STEP and batch.done[i]:
            result.begins[i] = True
        else:
            result.reward[i], result.terminated[i] = take_step(tables, batch, i, actions[i])
            end_step(batch, result, i, max_episode_steps, mode)
        result.final_state[i] = batch.state[i]
        if begins_now(batch, result, i, changes_at_reset):
            begin_episode(tables, batch, i)
        result.state[i] = batch.state[i]
    return result


@compiled
def next_random(batch: BatchedEnvState, i: int) -> float:
    """Return the next random number of environment i."""
    number: float = batch.uniforms[i, batch.next_uniform[i]]
    batch.next_uniform[i] += 1
    return number


@compiled
def begin_episode(tables: MazeTables, batch: BatchedEnvState, i: int) -> None:
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
def begin_episodes(tables: MazeTables, batch: BatchedEnvState, mask: BoolArray) -> None:
    """Begin an episode in every environment of the mask."""
    for i in range(mask.size):
        if mask[i]:
            begin_episode(tables, batch, i)


@compiled_with_arrays
def empty_result(states: IntArray) -> StepResult:
    """Return a result that is still to be filled in, for agents' states of this shape and dtype."""
    n = states.shape[0]
    return StepResult(
        np.empty_like(states),
        np.zeros(n),
        np.zeros(n, dtype=np.bool_),
        np.zeros(n, dtype=np.bool_),
        np.zeros_like(states),
        np.zeros(n, dtype=np.bool_),
        np.zeros(n, dtype=np.bool_),
        np.zeros(n, dtype=np.bool_),
    )


@compiled
def advance_clock(batch: BatchedEnvState, i: int) -> None:
    """Count a step of environment i."""
    batch.world_step[i] += 1
    batch.episode_step[i] += 1


@compiled
def end_step(
    batch: BatchedEnvState, result: StepResult, i: int, max_episode_steps: int, mode: int
) -> None:
    """Advance the clock of environment i after its agent moved, and mark what is due."""
    advance_clock(batch, i)
    result.truncated[i] = batch.episode_step[i] >= max_episode_steps > 0
    batch.done[i] = result.terminated[i] or result.truncated[i]
    result.changes[i] = batch.world_step[i] == batch.next_change[i]
    if mode == SAME_STEP and batch.done[i]:
        result.ended[i] = result.begins[i] = True


@compiled
def begins_now(batch: BatchedEnvState, result: StepResult, i: int, changes_at_reset: bool) -> bool:
    """Return True if the marked episode of environment i can begin within the compiled step."""
    if not result.begins[i] or result.changes[i] or changes_at_reset:
        return False
    batch.episode[i] += 1
    result.begins[i] = False
    return True


def refill_uniforms(
    batch: BatchedEnvState, generators: list[np.random.Generator], at_least: int
) -> None:
    """Draw ahead in every environment that has fewer than `at_least` random numbers left.

    A step uses at most two, one to slip and one to choose a start. The order of an environment's
    numbers is that of its generator, whenever they are drawn.
    """
    block = batch.uniforms.shape[1]
    for i in np.flatnonzero(batch.next_uniform > block - at_least):
        refill_one(batch, generators[i], int(i))


def refill_one(batch: BatchedEnvState, generator: np.random.Generator, i: int) -> None:
    """Replace the used random numbers of environment i."""
    used = batch.next_uniform[i]
    left = batch.uniforms.shape[1] - used
    batch.uniforms[i, :left] = batch.uniforms[i, used:]
    batch.uniforms[i, left:] = generator.random(used)
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
