"""The compiled step of many worlds at once. It reads the same arrays as the single environment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from dynamaze.common.arrays import BoolArray, FloatArray, Int32Array, IntArray
from dynamaze.common.compiled import compiled, compiled_with_arrays

from ..mazes.dynamics import NUM_ACTIONS, Dynamics

NEXT_STEP, SAME_STEP, DISABLED = 0, 1, 2


class Ground(NamedTuple):
    """The mazes that worlds stand in, one in each slot.

    Flat arrays, the fastest to compiled code: an entry is `(slot * S + state) * 4 + direction`.
    """

    next_state: Int32Array  # (slots * S * 4,)
    reward: FloatArray  # (slots * S * 4,)
    terminated: BoolArray  # (slots * S * 4,)
    slip: FloatArray  # (slots,) the probability of a step to one side
    starts: IntArray  # (slots, most starts)
    num_starts: IntArray  # (slots,)
    num_states: int

    @classmethod
    def of(cls, mazes: Sequence[Dynamics]) -> Ground:
        """One maze in each slot."""
        num_states = mazes[0].layout.num_cells
        slots = len(mazes)
        entries = slots * num_states * NUM_ACTIONS
        ground = cls(
            np.zeros(entries, dtype=np.int32),
            np.zeros(entries),
            np.zeros(entries, dtype=np.bool_),
            np.zeros(slots),
            np.zeros((slots, max(len(maze.starts) for maze in mazes)), dtype=np.int64),
            np.ones(slots, dtype=np.int64),
            num_states,
        )
        for slot, maze in enumerate(mazes):
            ground.put(slot, maze)
        return ground

    def put(self, slot: int, maze: Dynamics) -> None:
        """Put a maze into a slot; it has at most as many starts as there is room for."""
        size = self.num_states * NUM_ACTIONS
        entries = slice(slot * size, (slot + 1) * size)
        self.next_state[entries] = maze.moves.next_state.ravel()
        self.reward[entries] = maze.moves.reward.ravel()
        self.terminated[entries] = maze.moves.terminated.ravel()
        self.slip[slot] = maze.layout.slip_probability
        self.starts[slot, : len(maze.starts)] = maze.starts
        self.num_starts[slot] = len(maze.starts)

    def with_room(self, slots: int, starts: int) -> Ground:
        """The same with room for so many mazes of so many starts."""
        more_slots = max(0, slots - self.slip.size)
        more_starts = max(0, starts - self.starts.shape[1])
        if not more_slots + more_starts:
            return self
        entries = more_slots * self.num_states * NUM_ACTIONS
        return Ground(
            np.pad(self.next_state, (0, entries)),
            np.pad(self.reward, (0, entries)),
            np.pad(self.terminated, (0, entries)),
            np.pad(self.slip, (0, more_slots)),
            np.pad(self.starts, ((0, more_slots), (0, more_starts))),
            np.pad(self.num_starts, (0, more_slots), constant_values=1),
            self.num_states,
        )


class Lives(NamedTuple):
    """What each world remembers; changed in place."""

    state: IntArray  # (n,)
    world_step: IntArray  # (n,)
    slot: IntArray  # (n,) of the maze that it stands in
    next_change: IntArray  # (n,) the world step of it; -1 for never
    episode: IntArray  # (n,) episodes begun since the clock started, less one
    episode_step: IntArray  # (n,)
    done: BoolArray  # (n,) the last step ended the episode
    uniforms: FloatArray  # (n, block) random numbers drawn ahead
    next_uniform: IntArray  # (n,) the first that is not used yet

    @classmethod
    def begin(cls, num_envs: int, block: int) -> Lives:
        """Worlds before their first reset: in no state."""
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


class Moment(NamedTuple):
    """What a step of all worlds gives back."""

    state: IntArray  # (n,)
    reward: FloatArray  # (n,)
    terminated: BoolArray  # (n,)
    truncated: BoolArray  # (n,)
    final_state: IntArray  # (n,) before an episode begins
    ended: BoolArray  # (n,) an episode ended in mode SAME_STEP
    changes: BoolArray  # (n,) the maze changes now
    begins: BoolArray  # (n,) an episode is still to be begun, in a maze yet to come


@compiled
def next_random(lives: Lives, i: int) -> float:
    """The next random number of world i."""
    number: float = lives.uniforms[i, lives.next_uniform[i]]
    lives.next_uniform[i] += 1
    return number


@compiled
def begin_episode(ground: Ground, lives: Lives, i: int) -> None:
    """Put the agent of world i on a start of the maze that it stands in."""
    slot = lives.slot[i]
    count = ground.num_starts[slot]
    choice = int(next_random(lives, i) * count) if count > 1 else 0
    lives.state[i] = ground.starts[slot, choice]
    lives.episode_step[i] = 0
    lives.done[i] = False


@compiled
def take_step(ground: Ground, lives: Lives, i: int, action: int) -> tuple[float, bool]:
    """Move the agent of world i: reward and terminated. The clock is left to the caller."""
    slot = lives.slot[i]
    slip = ground.slip[slot]
    direction = action
    if slip > 0.0:
        number = next_random(lives, i)
        if number >= 1.0 - slip:
            # To one side below the second threshold of `Dynamics`, otherwise to the other.
            direction = (action + 1) & 3 if number < 1.0 - slip + slip / 2 else (action + 3) & 3
    entry = (slot * ground.num_states + lives.state[i]) * 4 + direction
    lives.state[i] = ground.next_state[entry]
    return ground.reward[entry], ground.terminated[entry]


@compiled
def begin_episodes(ground: Ground, lives: Lives, mask: BoolArray) -> None:
    """Begin an episode in every world of the mask."""
    for i in range(mask.size):
        if mask[i]:
            begin_episode(ground, lives, i)


@compiled_with_arrays
def new_moment(states: IntArray) -> Moment:
    """A record of a step that is still to be filled in, for worlds in states of such a kind."""
    n = states.shape[0]
    return Moment(
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
def tick(lives: Lives, i: int) -> None:
    """Let a step pass on the clocks of world i."""
    lives.world_step[i] += 1
    lives.episode_step[i] += 1


@compiled
def end_step(lives: Lives, moment: Moment, i: int, max_episode_steps: int, mode: int) -> None:
    """World i has moved: its clock ticks, and what is due is marked."""
    tick(lives, i)
    moment.truncated[i] = lives.episode_step[i] >= max_episode_steps > 0
    lives.done[i] = moment.terminated[i] or moment.truncated[i]
    moment.changes[i] = lives.world_step[i] == lives.next_change[i]
    if mode == SAME_STEP and lives.done[i]:
        moment.ended[i] = moment.begins[i] = True


@compiled
def begins_now(lives: Lives, moment: Moment, i: int, changes_at_reset: bool) -> bool:
    """Whether the episode that is marked to begin in world i waits for nothing."""
    if not moment.begins[i] or moment.changes[i] or changes_at_reset:
        return False
    lives.episode[i] += 1
    moment.begins[i] = False
    return True


@compiled_with_arrays
def step_worlds(
    ground: Ground,
    lives: Lives,
    actions: IntArray,
    max_episode_steps: int,
    mode: int,
    changes_at_reset: bool,
) -> Moment:
    """Step every world; begin a new episode where the autoreset mode says so.

    A world whose maze changes now, or may change with a new episode, is only marked.

    Args:
        ground: the mazes.
        lives: what each world remembers, changed in place.
        actions: (n,) already checked.
        max_episode_steps: the time limit; -1 for none.
        mode: NEXT_STEP, SAME_STEP or DISABLED.
        changes_at_reset: whether a new episode may bring another maze.
    """
    moment: Moment = new_moment(lives.state)
    for i in range(actions.size):
        if mode == NEXT_STEP and lives.done[i]:
            moment.begins[i] = True
        else:
            moment.reward[i], moment.terminated[i] = take_step(ground, lives, i, actions[i])
            end_step(lives, moment, i, max_episode_steps, mode)
        moment.final_state[i] = lives.state[i]
        if begins_now(lives, moment, i, changes_at_reset):
            begin_episode(ground, lives, i)
    moment.state[:] = lives.state
    return moment


def refill(lives: Lives, generators: list[np.random.Generator], at_least: int) -> None:
    """Draw ahead in every world that has fewer than `at_least` random numbers left.

    A step uses at most two, one to slip and one to choose a start. The order of a world's
    numbers is that of its generator, whenever they are drawn.
    """
    block = lives.uniforms.shape[1]
    for i in np.flatnonzero(lives.next_uniform > block - at_least):
        draw_ahead(lives, generators[i], int(i))


def draw_ahead(lives: Lives, generator: np.random.Generator, i: int) -> None:
    """Replace the random numbers of world i that are used."""
    used = lives.next_uniform[i]
    left = lives.uniforms.shape[1] - used
    lives.uniforms[i, :left] = lives.uniforms[i, used:]
    lives.uniforms[i, left:] = generator.random(used)
    lives.next_uniform[i] = 0


def drawer(lives: Lives, generators: list[np.random.Generator], i: int) -> Callable[[], float]:
    """What gives the random numbers of world i one by one, in the order of its generator."""

    def draw() -> float:
        if lives.next_uniform[i] == lives.uniforms.shape[1]:
            draw_ahead(lives, generators[i], i)
        number = float(lives.uniforms[i, lives.next_uniform[i]])
        lives.next_uniform[i] += 1
        return number

    return draw
