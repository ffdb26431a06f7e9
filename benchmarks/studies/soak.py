"""A thousand million steps: the vector environment gives the same kind of numbers in the end.

A random walk in a slippery maze reaches the goal at a rate that is known exactly: the walk begins
anew at each goal, so the number of goals in N steps is that of a renewal process, in the mean N / m
with variance N s^2 / m^3, where m and s are the exact mean and deviation of an episode's length
(Feller 1968, section XIII.6). Each tenth of the steps is held against it, and so is the memory.
"""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from rich.console import Console
from rich.progress import Progress
from rich.table import Table as Grid

PARTS = 10
SIGMAS = 5.0
"""A part farther from the exact number is wrong; in ten parts the false-alarm rate is 6e-6."""

MORE_MEMORY = 64
"""Megabytes that the later parts may need beyond the first."""

SLIP_PROBABILITY = 0.1


@dataclass(frozen=True)
class Endurance:
    """Step the native vector environment for very long, and hold it against the exact numbers."""

    steps: float = 1e9
    """Steps of all worlds together."""
    num_envs: int = 4096
    """Worlds stepped at once."""
    seed: int = 0
    """Settles every number."""


class Part(NamedTuple):
    """A tenth of the steps."""

    steps: int
    goals: int
    sigmas: float  # how far from the exact number of goals
    memory: float  # megabytes that the process had at most so far; NaN where it is not known
    rate: float  # million steps a second


def main(config: Endurance) -> None:
    """Step, print a line for each tenth, and say whether all is as it should be.

    Raises:
        ValueError: for fewer than one step of all worlds in each tenth.
        RuntimeError: if a number, a clock or the memory has drifted.
    """
    parts = run(config)
    grid = Grid("steps", "goals", "off by", "memory", "speed", title="Endurance")
    for part in parts:
        grid.add_row(
            f"{part.steps:,}",
            f"{part.goals:,}",
            f"{part.sigmas:+.2f} sigma",
            f"{part.memory:.0f} MB",
            f"{part.rate:.1f} M/s",
        )
    Console().print(grid)
    check(parts)


def run(config: Endurance) -> list[Part]:
    """Step all worlds, a tenth after the other.

    Raises:
        ValueError: for fewer than one step of all worlds in each tenth.
        RuntimeError: if the worlds' clocks do not show the steps that were taken.
    """
    calls = int(config.steps) // (PARTS * config.num_envs) if config.num_envs > 0 else 0
    if calls < 1:
        least = PARTS * max(config.num_envs, 1)
        raise ValueError(f"steps={config.steps:g} of {config.num_envs} worlds; expected >= {least}")
    env: Any = gym.make_vec(
        "DynaMaze-v0",
        config.num_envs,
        max_episode_steps=-1,
        slip_probability=SLIP_PROBABILITY,
        autoreset_mode=AutoresetMode.SAME_STEP,
    )
    env.reset(seed=config.seed)
    rng = np.random.default_rng(config.seed)
    parts: list[Part] = []
    with Progress() as progress:
        task = progress.add_task("steps", total=PARTS * calls)
        for _ in range(PARTS):
            began, goals = time.perf_counter(), 0
            for _ in range(calls):
                _, rewards, *_ = env.step(rng.integers(0, 4, config.num_envs))
                goals += int(np.count_nonzero(rewards))
                progress.advance(task)
            steps = calls * config.num_envs
            took = time.perf_counter() - began
            off = sigmas_off(steps, goals, config.num_envs, is_first=not parts)
            parts.append(Part(steps, goals, off, peak_memory(), steps / took / 1e6))
    clocks = set(env.get_attr("world_step"))
    if clocks != {PARTS * calls}:
        raise RuntimeError(f"the clocks show {sorted(clocks)[:3]}; expected {PARTS * calls}")
    return parts


def sigmas_off(steps: int, goals: int, num_envs: int, *, is_first: bool) -> float:
    """How many standard deviations the number of goals is off the exact one."""
    maze: Any = gym.make("DynaMaze-v0", slip_probability=SLIP_PROBABILITY).unwrapped
    mean, deviation = maze.mdp.episode_steps(np.full((54, 4), 0.25))
    expected = steps / mean
    if is_first:  # every world begins an episode at once, which moves the first goals
        expected += num_envs * (deviation**2 - mean**2) / (2 * mean**2)
    return float((goals - expected) / math.sqrt(steps * deviation**2 / mean**3))


def peak_memory() -> float:
    """The most memory that this process had so far, in megabytes; NaN where it is not known."""
    if sys.platform == "win32":
        return math.nan
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def check(parts: list[Part]) -> None:
    """Make sure that nothing has drifted.

    Raises:
        RuntimeError: if it has.
    """
    for number, part in enumerate(parts, 1):
        if abs(part.sigmas) > SIGMAS:
            raise RuntimeError(
                f"part {number}: {part.goals:,} goals, {part.sigmas:+.1f} standard deviations off "
                f"the exact number; expected at most {SIGMAS:g}"
            )
    more = parts[-1].memory - parts[0].memory
    if more > MORE_MEMORY:
        raise RuntimeError(f"{more:.0f} MB more memory at the end; expected at most {MORE_MEMORY}")
