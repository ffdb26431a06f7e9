"""Soak test of the vector environment: 10^9 steps, checked against exact values.

A random walk in a slippery maze reaches the goal at a rate that is known exactly. The walk restarts
at each goal, so the number of goals in N steps is that of a renewal process: its mean is N / m and
its variance N s^2 / m^3, where m and s are the exact mean and standard deviation of an episode's
length (Feller 1968, section XIII.6). Each tenth of the steps is checked, and so is the memory.
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

from dynamaze.benchmarks.harness.command_line import run_script

PARTS = 10
SIGMAS = 5.0
"""Largest accepted deviation of a part; over ten parts the false-alarm rate is 6e-6."""

MORE_MEMORY = 64
"""Megabytes that the last part may need more than the first."""

SLIP_PROBABILITY = 0.1


@dataclass(frozen=True)
class SoakConfig:
    """Soak test of the native vector environment: very many steps, checked against exact values."""

    steps: float = 1e9
    """Steps of all environments together."""
    num_envs: int = 4096
    """Environments stepped at once."""
    seed: int = 0
    """Seed of all random numbers."""


class SoakPart(NamedTuple):
    """Results of a tenth of the steps."""

    steps: int
    goals: int
    sigmas: float  # deviation from the exact number of goals, in standard deviations
    memory: float  # peak memory of the process in megabytes; NaN if unknown
    rate: float  # million steps a second


def main(config: SoakConfig) -> None:
    """Step, print a line for each tenth, and check the results.

    Raises:
        ValueError: for fewer than one step of each environment in each tenth.
        RuntimeError: if a number, a clock or the memory has drifted.
    """
    parts = run(config)
    grid = Grid("steps", "goals", "off by", "memory", "speed", title="Soak test")
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


def run(config: SoakConfig) -> list[SoakPart]:
    """Step all environments and return the results of each tenth.

    Raises:
        ValueError: for fewer than one step of each environment in each tenth.
        RuntimeError: if an environment's clock does not show the number of steps.
    """
    calls = int(config.steps) // (PARTS * config.num_envs) if config.num_envs > 0 else 0
    if calls < 1:
        least = PARTS * max(config.num_envs, 1)
        raise ValueError(
            f"steps={config.steps:g} of {config.num_envs} environments; expected >= {least}"
        )
    env: Any = gym.make_vec(
        "DynaMaze-v0",
        config.num_envs,
        max_episode_steps=-1,
        slip_probability=SLIP_PROBABILITY,
        autoreset_mode=AutoresetMode.SAME_STEP,
    )
    env.reset(seed=config.seed)
    rng = np.random.default_rng(config.seed)
    parts: list[SoakPart] = []
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
            parts.append(SoakPart(steps, goals, off, peak_memory(), steps / took / 1e6))
    clocks = set(env.get_attr("world_step"))
    if clocks != {PARTS * calls}:
        raise RuntimeError(f"the clocks show {sorted(clocks)[:3]}; expected {PARTS * calls}")
    return parts


def sigmas_off(steps: int, goals: int, num_envs: int, *, is_first: bool) -> float:
    """Return the deviation of the number of goals from the exact one, in standard deviations."""
    maze: Any = gym.make("DynaMaze-v0", slip_probability=SLIP_PROBABILITY).unwrapped
    mean, deviation = maze.mdp.episode_steps(np.full((54, 4), 0.25))
    expected = steps / mean
    if is_first:
        # All environments begin an episode at once, which moves the first goals: the constant term
        # (s^2 - m^2) / (2 m^2) of the renewal function, for each of them.
        expected += num_envs * (deviation**2 - mean**2) / (2 * mean**2)
    # Variance N s^2 / m^3 of a renewal process.
    return float((goals - expected) / math.sqrt(steps * deviation**2 / mean**3))


def peak_memory() -> float:
    """Return the peak memory of this process in megabytes; NaN if unknown."""
    if sys.platform == "win32":
        return math.nan
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def check(parts: list[SoakPart]) -> None:
    """Check that nothing has drifted.

    Raises:
        RuntimeError: if a number of goals or the memory has.
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


if __name__ == "__main__":
    run_script(__file__)
