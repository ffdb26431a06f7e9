"""The compiled step of many worlds at once. It reads the same tables as the single environment."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dynamaze.compiled import compiled, compiled_with_arrays

from .dynamics import FloatArray, Tables
from .layout import BoolArray, IntArray

NEXT_STEP, SAME_STEP, DISABLED = 0, 1, 2


class World(NamedTuple):
    """What all the worlds share: `dynamics.Tables` as flat arrays, the fastest to compiled code.

    The tables' entries stand in the order (phase, state, action, outcome).
    """

    change_steps: IntArray  # (P - 1,)
    next_state: IntArray  # (P * S * A * K,)
    reward: FloatArray  # (P * S * A * K,)
    terminated: BoolArray  # (P * S * A * K,)
    cumulative: FloatArray  # (P * S * A * K,)
    starts: IntArray  # (all starts,)
    first_start: IntArray  # (P + 1,) where each phase's starts begin
    num_states: int
    num_actions: int
    num_outcomes: int

    @classmethod
    def of(cls, tables: Tables) -> World:
        """The shared arrays of a changing world."""
        lengths = [0, *(len(starts) for starts in tables.starts)]
        return cls(
            tables.change_steps,
            tables.next_state.ravel(),
            tables.reward.ravel(),
            tables.terminated.ravel(),
            tables.cumulative.ravel(),
            np.concatenate(tables.starts),
            np.cumsum(lengths),
            *tables.next_state.shape[1:],
        )


class Lives(NamedTuple):
    """What each world remembers; changed in place."""

    state: IntArray  # (n,)
    world_step: IntArray  # (n,)
    phase: IntArray  # (n,)
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
            phase=np.zeros(num_envs, dtype=np.int64),
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
    world_step: IntArray  # (n,)
    phase: IntArray  # (n,)
    final_state: IntArray  # (n,) where an episode ended in mode SAME_STEP, else -1


@compiled
def _uniform(lives: Lives, i: int) -> float:
    number: float = lives.uniforms[i, lives.next_uniform[i]]
    lives.next_uniform[i] += 1
    return number


@compiled
def begin_episode(world: World, lives: Lives, i: int) -> None:
    """Put the agent of world i on a start of its present phase."""
    phase = lives.phase[i]
    first, last = world.first_start[phase], world.first_start[phase + 1]
    choice = int(_uniform(lives, i) * (last - first)) if last - first > 1 else 0
    lives.state[i] = world.starts[first + choice]
    lives.episode_step[i] = 0
    lives.done[i] = False


@compiled
def _set_phase(world: World, lives: Lives, i: int) -> None:
    phase = 0
    while phase < world.change_steps.size and lives.world_step[i] >= world.change_steps[phase]:
        phase += 1
    lives.phase[i] = phase


@compiled
def take_step(world: World, lives: Lives, i: int, action: int) -> tuple[float, bool]:
    """Step world i, and change its maze if the time has come: reward and terminated."""
    phase = lives.phase[i]
    entry = (phase * world.num_states + lives.state[i]) * world.num_actions + action
    if world.num_outcomes > 1:
        entry *= world.num_outcomes
        number = _uniform(lives, i)
        while number >= world.cumulative[entry]:
            entry += 1
    lives.state[i] = world.next_state[entry]
    lives.world_step[i] += 1
    lives.episode_step[i] += 1
    if phase < world.change_steps.size and lives.world_step[i] == world.change_steps[phase]:
        lives.phase[i] = phase + 1
    return world.reward[entry], world.terminated[entry]


@compiled
def reset_worlds(world: World, lives: Lives, mask: BoolArray) -> None:
    """Begin an episode in every world of the mask, as its clock says."""
    for i in range(mask.size):
        if mask[i]:
            _set_phase(world, lives, i)
            begin_episode(world, lives, i)


@compiled_with_arrays
def step_worlds(
    world: World, lives: Lives, actions: IntArray, max_episode_steps: int, mode: int
) -> Moment:
    """Step every world; begin a new episode where the autoreset mode says so.

    Args:
        world: what all share.
        lives: what each remembers, changed in place.
        actions: (n,) already checked.
        max_episode_steps: the time limit; -1 for none.
        mode: NEXT_STEP, SAME_STEP or DISABLED.
    """
    n = actions.size
    reward = np.zeros(n)
    terminated = np.zeros(n, dtype=np.bool_)
    truncated = np.zeros(n, dtype=np.bool_)
    final_state = np.full(n, -1, dtype=np.int64)
    for i in range(n):
        if mode == NEXT_STEP and lives.done[i]:
            begin_episode(world, lives, i)
            continue
        reward[i], terminated[i] = take_step(world, lives, i, actions[i])
        truncated[i] = lives.episode_step[i] >= max_episode_steps > 0
        lives.done[i] = terminated[i] or truncated[i]
        if mode == SAME_STEP and lives.done[i]:
            final_state[i] = lives.state[i]
            begin_episode(world, lives, i)
    return Moment(
        lives.state.copy(),
        reward,
        terminated,
        truncated,
        lives.world_step.copy(),
        lives.phase.copy(),
        final_state,
    )


def refill(lives: Lives, generators: list[np.random.Generator], at_least: int) -> None:
    """Draw ahead in every world that has fewer than `at_least` random numbers left.

    A step uses at most two, one to slip and one to choose a start. The order of a world's
    numbers is that of its generator, whenever they are drawn.
    """
    block = lives.uniforms.shape[1]
    for i in np.flatnonzero(lives.next_uniform > block - at_least):
        used = lives.next_uniform[i]
        left = block - used
        lives.uniforms[i, :left] = lives.uniforms[i, used:]
        lives.uniforms[i, left:] = generators[i].random(used)
        lives.next_uniform[i] = 0
