"""Command `dynamaze bench speed`: all speeds, each beside its baseline, in one run."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from rich.console import Console
from rich.table import Table as Grid

from dynamaze.agents import DynaQ
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.benchmarks.harness.compiled_runs import run_many
from dynamaze.benchmarks.harness.table import from_rows, write_csv
from dynamaze.benchmarks.harness.timing import (
    Measure,
    SpeedRow,
    median_seconds,
    seconds,
    time_alternately,
    time_row,
)
from dynamaze.benchmarks.speed.c_dyna_q import build_c_dyna_q, find_compiler
from dynamaze.benchmarks.speed.envs import MEASUREMENTS as ENVIRONMENTS
from dynamaze.benchmarks.speed.envs import walk, walk_vector
from dynamaze.benchmarks.speed.learners import MEASUREMENTS as LEARNERS
from dynamaze.benchmarks.speed.planners import MEASUREMENTS as PLANNERS
from dynamaze.benchmarks.speed.students import MEASUREMENTS as STUDENTS
from dynamaze.common.validation import checked_integer


@dataclass(frozen=True)
class Speed:
    """Measure the speeds of environments, rendering, agents, students and start-up."""

    repeats: int = 5
    """Timings of each pair; the table shows medians."""
    output: Path = Path()
    """Folder of `results/speed.csv`; the working directory by default."""


def main(config: Speed) -> None:
    """Measure all speeds, print the table and store it.

    Raises:
        ValueError: for fewer than 1 repeat.
    """
    checked_integer("repeats", config.repeats, 1)
    console = Console()
    rows: list[SpeedRow] = []
    for measure in MEASUREMENTS:
        with console.status(f"measuring {measure.__name__.replace('_', ' ')} ..."):
            rows += measure(config.repeats)
    grid = Grid(*(name.replace("_", " ") for name in SpeedRow._fields), title="Speeds (medians)")
    for row in rows:
        grid.add_row(*row[:-1], "yes" if row.met else "NO")
    console.print(grid)
    path = config.output / "results" / "speed.csv"
    write_csv(path, from_rows([row._asdict() for row in rows]))
    console.print(f"written to {path.resolve()}", soft_wrap=True, highlight=False)


# -- environments ------------------------------------------------------------------------------


def single_environment(repeats: int) -> list[SpeedRow]:
    """Steps of one environment of `gym.make`."""
    steps = 100_000
    pair = time_alternately(
        partial(walk, gym.make("DynaMaze-v0"), steps),
        partial(walk, gym.make("FrozenLake-v1"), steps // 4),
        repeats,
    )
    ratio = pair.ratio * 4  # the baseline takes a quarter of the steps
    ours, baseline = steps / pair.ours / 1e6, steps / 4 / pair.baseline / 1e6
    return [
        SpeedRow(
            "gym.make steps",
            f"{ours:.2f} M/s",
            "FrozenLake-v1",
            f"{baseline:.2f} M/s",
            f"{ratio:.1f}x",
            ">= 8x, >= 1.3 M/s",
            ratio >= 8 and ours >= 1.3,
        )
    ]


def vector_environment(repeats: int) -> list[SpeedRow]:
    """Steps of the native vector environment, with slip, against a synchronous FrozenLake."""
    rows = []
    for num_envs, target in ((64, 3.0), (1024, 15.0)):
        ours = gym.make_vec("DynaMaze-v0", num_envs=num_envs, slip_probability=0.1)
        baseline = gym.make_vec("FrozenLake-v1", num_envs=num_envs, vectorization_mode="sync")
        ours.reset(seed=0)
        baseline.reset(seed=0)
        calls, fewer = 1_000_000 // num_envs, max(50_000 // num_envs, 5)
        actions = np.random.default_rng(0).integers(0, 4, (calls, num_envs))
        pair = time_alternately(
            partial(walk_vector, ours, actions),
            partial(walk_vector, baseline, actions[:fewer]),
            repeats,
        )
        fast, slow = num_envs * calls / pair.ours / 1e6, num_envs * fewer / pair.baseline / 1e6
        rows.append(
            SpeedRow(
                f"vector steps, n={num_envs}, slip",
                f"{fast:.2f} M/s",
                "SyncVectorEnv(FrozenLake)",
                f"{slow:.2f} M/s",
                f"{fast / slow:.0f}x",
                f">= {target:.0f} M/s",
                fast >= target,
            )
        )
    return rows


def maze_changes(repeats: int) -> list[SpeedRow]:
    """Cost of changes, in steps between changes and in the step of a change."""
    steps = 100_000
    pair = time_alternately(
        # Seeded resets restart the clock of both, so that the change is never reached.
        partial(
            walk, gym.make("DynaMaze-v0", layout="blocking", changes={10**9: "shortcut"}), steps
        ),
        partial(walk, gym.make("DynaMaze-v0", layout="blocking", changes={}), steps),
        2 * repeats,
    )
    return [
        SpeedRow(
            "steps between changes",
            f"{steps / pair.ours / 1e6:.2f} M/s",
            "the static maze",
            f"{steps / pair.baseline / 1e6:.2f} M/s",
            f"{1 / pair.ratio:.3f} of its time",
            "about 1",
            0.9 < pair.ratio < 1.1,
        ),
        time_row("the step at a change", _seconds_at_a_change(), "us", 50e-6),
    ]


def rendering(repeats: int) -> list[SpeedRow]:
    """Rendering of one frame of the 6x9 maze as an array."""
    frames = 200
    ours = gym.make("DynaMaze-v0", render_mode="rgb_array")
    baseline = gym.make("FrozenLake-v1", render_mode="rgb_array")
    pair = time_alternately(
        partial(_walk_and_render, ours, frames),
        partial(_walk_and_render, baseline, frames),
        repeats,
    )
    return [
        SpeedRow(
            "rgb_array frame",
            f"{pair.ours / frames * 1e6:.0f} us",
            "FrozenLake-v1",
            f"{pair.baseline / frames * 1e6:.0f} us",
            f"{pair.ratio:.0f}x",
            "<= 100 us",
            pair.ours / frames <= 100e-6,
        )
    ]


def _walk_and_render(env: gym.Env[Any, Any], frames: int) -> None:
    env.reset(seed=0)
    for number in range(frames):
        _, _, terminated, truncated, _ = env.step(number % 4)
        if terminated or truncated:
            env.reset()
        env.render()


def _seconds_at_a_change() -> float:
    env: Any = gym.make("DynaMazeBlocking-v0").unwrapped
    env.reset(seed=0)
    times = []
    for _ in range(1000):
        env.world_step = 999
        times.append(seconds(lambda: env.step(0)))
    return float(np.median(times))


# -- agents ------------------------------------------------------------------------------------


def planning_updates(repeats: int) -> list[SpeedRow]:
    """Planning updates of a compiled run on one core, against the same loop in C."""
    if find_compiler() is None:
        cells = {"baseline": "C", "baseline_speed": "no C compiler", "target": ">= 0.8 of C"}
        return [SpeedRow("planning updates, n=50", "", **cells, met=False)]
    steps, planning_steps = 400_000, 50
    env = gym.make("DynaMaze-v0", max_episode_steps=-1)
    agent = partial(DynaQ, env, planning_steps=planning_steps)
    with tempfile.TemporaryDirectory() as folder:
        c_dyna_q = build_c_dyna_q(Path(folder))
        pair = time_alternately(
            lambda: run_many(agent, runs=1, steps=steps, seed=0, workers=1),
            lambda: c_dyna_q(agent(seed=0), steps),
            repeats + 2,
        )
    updates = steps * planning_steps / 1e6
    return [
        SpeedRow(
            "planning updates, n=50, one core",
            f"{updates / pair.ours:.0f} M/s",
            "the same loop in C, gcc -O3",
            f"{updates / pair.baseline:.0f} M/s",
            f"{pair.ratio:.2f} of C",
            ">= 0.8 of C",
            pair.ratio >= 0.8,
        )
    ]


def step_by_step_agent(repeats: int) -> list[SpeedRow]:
    """Real steps of the agent in Python."""
    steps = 10_000
    agent = DynaQ("DynaMaze-v0", planning_steps=50, seed=0).learn(1000)
    rate = steps / median_seconds(lambda: agent.learn(steps), repeats) / 1e3
    speed = f"{rate:.0f} k steps/s"
    return [SpeedRow("step-by-step Dyna-Q, n=50", speed, target=">= 40 k/s", met=rate >= 40)]


# -- whole processes ---------------------------------------------------------------------------


def figures_from_cold(repeats: int) -> list[SpeedRow]:
    """Three figures in a fresh process without a compile cache."""
    with tempfile.TemporaryDirectory() as folder:
        only = ["--only", "figure-8-2", "figure-8-4", "figure-8-5"]
        command = ["-m", "dynamaze", "figures", "--runs", "500", "--output", folder, *only]
        took = seconds(lambda: _python(*command, NUMBA_CACHE_DIR=f"{folder}/cache"))
    return [time_row("three figures, 500 runs, cold", took, "s", 60)]


def start_up(repeats: int) -> list[SpeedRow]:
    """Import time, and time of the help text."""
    pair = time_alternately(
        lambda: _python("-c", "import dynamaze"),
        lambda: _python("-c", "import gymnasium"),
        4 * repeats,
    )
    more = (pair.ours - pair.baseline) * 1e3
    help_took = median_seconds(lambda: _python("-m", "dynamaze", "--help"), 4 * repeats)
    return [
        SpeedRow(
            "import dynamaze",
            f"{pair.ours * 1e3:.0f} ms",
            "import gymnasium",
            f"{pair.baseline * 1e3:.0f} ms",
            f"{more:+.0f} ms",
            "<= +20 ms",
            more <= 20,
        ),
        time_row("dynamaze --help", help_took, "s", 0.25, digits=2),
    ]


def _python(*arguments: str, **environment: str) -> None:
    subprocess.run(
        [sys.executable, *arguments],
        check=True,
        capture_output=True,
        env={**os.environ, **environment},
    )


MEASUREMENTS: tuple[Measure, ...] = (
    single_environment,
    vector_environment,
    maze_changes,
    rendering,
    *ENVIRONMENTS,
    *LEARNERS,
    *PLANNERS,
    *STUDENTS,
    planning_updates,
    step_by_step_agent,
    figures_from_cold,
    start_up,
)

if __name__ == "__main__":
    run_script(__file__)
