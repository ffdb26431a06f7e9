"""Soak test of the vector environment: 10^9 steps, checked against exact values.

A random walk in a slippery maze reaches the goal at a rate that is known exactly. The walk restarts
at each goal, so the number of goals in N steps is that of a renewal process: its mean is N / m and
its variance N s^2 / m^3, where m and s are the exact mean and standard deviation of an episode's
length (Feller 1968, section XIII.6). The runs are independent: each has environments and seeds of
its own. Each tenth of a run is checked, and so are all of them together, the environments' clocks
and the memory.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode

from dynamaze.benchmarks.harness.analysis.plots import EVENT, REFERENCE, panels
from dynamaze.benchmarks.harness.analysis.summaries import count_text
from dynamaze.benchmarks.harness.analysis.table import (
    Lines,
    Table,
    Tables,
    distinct,
    from_rows,
    rows_where,
    stack_runs,
)
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.experiment import ExperimentConfig, Setting
from dynamaze.benchmarks.harness.running.runner import Runner, derive_seed
from dynamaze.common.arrays import FloatArray
from dynamaze.common.options import Count, Range, Runs

if TYPE_CHECKING:
    from matplotlib.figure import Figure


PARTS = 10
SIGMAS = 5.0
"""Largest accepted deviation of a part; over a hundred parts the false-alarm rate is 6e-5."""

MORE_MEMORY = 64
"""Megabytes that the last part of a run may need more than its first."""

SLIP_PROBABILITY = 0.1


@dataclass(frozen=True)
class SoakConfig(ExperimentConfig):
    """Soak test of the native vector environment: very many steps, checked against exact values."""

    name: ClassVar[str] = "soak"
    title: ClassVar[str] = "Soak test"

    runs: Runs = 10
    """Independent runs, each with environments of its own."""
    steps: Annotated[float, Range(1, limit=10**15)] = 1e8
    """Steps of all environments of a run together."""
    num_envs: Count = 4096
    """Environments stepped at once."""

    @property
    def settings(self) -> Sequence[Setting]:
        """One setting."""
        return [Setting((), self.runs, f"{self.num_envs} environments")]

    @property
    def calls(self) -> int:
        """Steps of each environment in a tenth of a run."""
        return int(self.steps) // (PARTS * self.num_envs)

    @property
    def caption(self) -> str:
        """Explanation of the numbers, below the summary."""
        return (
            "deviations of the number of goals from the exact one, in standard deviations; "
            f"n is the number of parts; at most {SIGMAS:g} are accepted"
        )

    def check(self) -> None:
        """Check the options before anything runs.

        Raises:
            ValueError: for fewer than 2 runs, no environment, or fewer than one step of each
                environment in each tenth of a run.
        """
        super().check()
        if not self.steps >= PARTS * self.num_envs:
            raise ValueError(
                f"steps={self.steps:g} of {self.num_envs} environments; expected >= "
                f"{PARTS * self.num_envs}"
            )


def run(config: SoakConfig, runner: Runner | None = None) -> Tables:
    """Step all environments, and check the results.

    Args:
        config: the settings.
        runner: runs the runs; by default one after another, in this process.

    Returns:
        A row for each tenth of each run: run, part (from 1), steps, goals, sigmas (deviation from
        the exact number of goals, in standard deviations), memory (peak memory of the process so
        far in megabytes; NaN if unknown) and rate (million steps a second).

    Raises:
        ValueError: for an option outside its range.
        RuntimeError: if a number of goals, a clock or the memory has drifted.
    """
    config.check()
    parts = stack_runs((runner or Runner()).run(trial, config))
    check_parts(parts)
    return {config.name: parts}


def trial(config: SoakConfig, number: int) -> Table:
    """Step the environments of one run: a row for each tenth of its steps.

    Raises:
        RuntimeError: if an environment's clock does not show the number of steps.
    """
    seed = derive_seed(config.seed, number)
    env: Any = gym.make_vec(
        "DynaMaze-v0",
        config.num_envs,
        max_episode_steps=-1,
        slip_probability=SLIP_PROBABILITY,
        autoreset_mode=AutoresetMode.SAME_STEP,
    )
    env.reset(seed=seed)
    rng = np.random.default_rng(seed)
    steps = config.calls * config.num_envs
    rows: list[dict[str, Any]] = []
    for part in range(1, PARTS + 1):
        began, goals = time.perf_counter(), 0
        for _ in range(config.calls):
            _, rewards, *_ = env.step(rng.integers(0, 4, config.num_envs))
            goals += int(np.count_nonzero(rewards))
        rate = steps / (time.perf_counter() - began) / 1e6
        sigmas = sigmas_off(steps, goals, config.num_envs, is_first=part == 1)
        row = {"run": number, "part": part, "steps": steps, "goals": goals, "sigmas": sigmas}
        rows.append({**row, "memory": peak_memory(), "rate": rate})
    clocks = set(env.get_attr("world_step"))
    if clocks != {PARTS * config.calls}:
        raise RuntimeError(f"the clocks show {sorted(clocks)[:3]}; expected {PARTS * config.calls}")
    return from_rows(rows)


def sigmas_off(steps: int, goals: int, num_envs: int, *, is_first: bool) -> float:
    """Return the deviation of the number of goals from the exact one, in standard deviations."""
    mean, deviation = episode_moments()
    expected = steps / mean
    if is_first:
        # All environments begin an episode at once, which moves the first goals: the constant term
        # (s^2 - m^2) / (2 m^2) of the renewal function, for each of them.
        expected += num_envs * (deviation**2 - mean**2) / (2 * mean**2)
    # Variance N s^2 / m^3 of a renewal process.
    return float((goals - expected) / math.sqrt(steps * deviation**2 / mean**3))


@cache
def episode_moments() -> tuple[float, float]:
    """Return the exact mean and standard deviation of an episode's length."""
    maze: Any = gym.make("DynaMaze-v0", slip_probability=SLIP_PROBABILITY).unwrapped
    mean, deviation = maze.mdp.episode_steps(np.full((54, 4), 0.25))
    return float(mean), float(deviation)


def peak_memory() -> float:
    """Return the peak memory of this process in megabytes; NaN if unknown."""
    if sys.platform == "win32":
        return math.nan
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def combined(sigmas: FloatArray) -> float:
    """Return the deviation of several parts together, which have the same number of steps."""
    return float(sigmas.sum() / math.sqrt(sigmas.size))


def check_parts(parts: Table) -> None:
    """Check that nothing has drifted.

    Raises:
        RuntimeError: if a number of goals or the memory has.
    """
    row = int(np.abs(parts["sigmas"]).argmax())
    if abs(parts["sigmas"][row]) > SIGMAS:
        raise RuntimeError(
            f"run {parts['run'][row]}, part {parts['part'][row]}: {parts['goals'][row]:,} goals, "
            f"{parts['sigmas'][row]:+.1f} standard deviations off the exact number; expected at "
            f"most {SIGMAS:g}"
        )
    together = combined(parts["sigmas"])
    if abs(together) > SIGMAS:
        raise RuntimeError(
            f"{parts['goals'].sum():,} goals in all runs, {together:+.1f} standard deviations off "
            f"the exact number; expected at most {SIGMAS:g}"
        )
    for number in distinct(parts, "run"):
        memory = rows_where(parts, run=number)["memory"]
        more = memory[-1] - memory[0]
        if more > MORE_MEMORY:
            raise RuntimeError(
                f"run {number}: {more:.0f} MB more memory at the end; expected at most "
                f"{MORE_MEMORY}"
            )


# -- plot and summary --------------------------------------------------------------------------


def summary(tables: Tables, config: SoakConfig) -> Lines:
    """Return a line for each run, and one for all of them."""
    parts = tables[config.name]
    lines: Lines = [("run", "n", "steps", "goals", "off by", "largest", "memory", "speed")]
    for number in distinct(parts, "run"):
        lines.append(_line(str(number), rows_where(parts, run=number)))
    return [*lines, _line("all", parts)]


def _line(name: str, parts: Table) -> tuple[str, ...]:
    sigmas = parts["sigmas"]
    return (
        name,
        str(sigmas.size),
        f"{parts['steps'].sum():,}",
        f"{parts['goals'].sum():,}",
        f"{combined(sigmas):+.2f} sigma",
        f"{sigmas[np.abs(sigmas).argmax()]:+.2f} sigma",
        f"{parts['memory'].max():.0f} MB",
        f"{np.median(parts['rate']):.1f} M/s",
    )


def plot(tables: Tables, config: SoakConfig) -> Figure:
    """Return the plot: the deviation of each part of each run, and the accepted ones."""
    parts = tables[config.name]
    figure, ((axes,),) = panels()
    axes.axhline(0, **EVENT)
    for limit in (-SIGMAS, SIGMAS):
        axes.axhline(limit, **REFERENCE)
    axes.plot(parts["part"], parts["sigmas"], ".")
    axes.set(
        xlabel=f"Tenth of a run ({int(parts['steps'][0]):,} steps)",
        ylabel="Deviation of the number of goals (standard deviations)",
        title=f"{config.title}: {count_text(len(distinct(parts, 'run')))} runs",
    )
    return figure


if __name__ == "__main__":
    run_script(__file__)
