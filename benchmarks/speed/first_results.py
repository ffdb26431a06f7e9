"""CPU time until the first result of a fresh process: without a compile cache, and with one.

CPU time is measured, not wall-clock time: most of it is compilation in one thread, and it hardly
depends on what else the machine is doing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from statistics import median
from typing import NamedTuple

from dynamaze.benchmarks.harness.timing import Measure, SpeedRow


class FirstResult(NamedTuple):
    """Program of a few lines, as a user's first one."""

    name: str
    limit: float  # largest accepted CPU seconds without a compile cache
    program: str


VECTOR_STEP = """
import gymnasium as gym
import dynamaze
env = gym.make_vec("{id}", {num_envs}, vectorization_mode="vector_entry_point")
env.reset(seed=0)
env.step(env.action_space.sample())
"""

FIRST_RESULTS = (
    FirstResult(
        "tree search, one step",
        4,
        """
from itertools import islice
from dynamaze.agents import TreeSearch
list(islice(TreeSearch("DynaMaze-v0", seed=0).steps(), 1))
""",
    ),
    FirstResult(
        "vector of continuous mazes, one step",
        4,
        VECTOR_STEP.format(id="DynaMazeContinuous-v0", num_envs=64),
    ),
    FirstResult(
        "vector of 1024 mazes, one step",
        2.5,
        VECTOR_STEP.format(id="DynaMaze-v0", num_envs=1024),
    ),
    FirstResult(
        "run_many, Dyna-Q",
        2.5,
        """
from functools import partial
from dynamaze.agents import DynaQ
from dynamaze.benchmarks.harness.agent_runs.compiled_runs import run_many
run_many(partial(DynaQ, "DynaMaze-v0"), runs=2, seed=0, steps=100)
""",
    ),
    FirstResult(
        "DynaQPlus.learn(6000)",
        2,
        """
from dynamaze.agents import DynaQPlus
DynaQPlus("DynaMazeShortcut-v0", seed=0).learn(6000)
""",
    ),
)


def first_results(repeats: int) -> list[SpeedRow]:
    """Measure programs in fresh processes, the first time with an empty compile cache."""
    rows = []
    for name, limit, program in FIRST_RESULTS:
        with tempfile.TemporaryDirectory() as folder:
            first, *later = (cpu_seconds(program, folder) for _ in range(1 + repeats))
        rows.append(
            SpeedRow(
                f"{name}: CPU time",
                f"{first:.1f} s",
                "with compile cache",
                f"{median(later):.1f} s",
                f"{first:.1f} s",
                f"<= {limit:g} s",
                first <= limit,
            )
        )
    return rows


def cpu_seconds(program: str, cache_folder: str) -> float:
    """Return the CPU seconds of a program in a process of its own.

    Raises:
        CalledProcessError: if the program fails.
    """
    before = os.times()
    subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        env={**os.environ, "NUMBA_CACHE_DIR": cache_folder},
    )
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])  # user and system time of ended child processes


MEASUREMENTS: tuple[Measure, ...] = (first_results,)
