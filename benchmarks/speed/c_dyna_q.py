"""Dyna-Q in C (`dyna_q.c`) called from Python: speed baseline and check of the compiled run."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.agents import DynaQ
from dynamaze.agents.core.rng import state_words
from dynamaze.common.arrays import FloatArray

SOURCE = Path(__file__).with_name("dyna_q.c")


def find_compiler() -> str | None:
    """Return the path of a C compiler, None if there is none."""
    return shutil.which("gcc") or shutil.which("cc")


def build_c_dyna_q(folder: Path, *options: str) -> Callable[[DynaQ, int], FloatArray]:
    """Compile the C loop and return it as a function of a fresh agent and a number of steps.

    The function returns the action values, (states, actions), and advances the agent's generator.

    Args:
        folder: for the library.
        options: more options for the compiler; without `-ffp-contract=off` it may fuse operations
            and round less often than Python.

    Raises:
        RuntimeError: if there is no C compiler.
    """
    compiler = find_compiler()
    if compiler is None:
        raise RuntimeError("no C compiler found; expected gcc or cc on the path")
    library = folder / "dyna_q.so"
    flags = ["-O3", "-march=native", "-shared", "-fPIC", *options]
    subprocess.run([compiler, *flags, str(SOURCE), "-o", str(library)], check=True)
    function = ctypes.CDLL(str(library)).dyna_q
    return lambda agent, steps: _call(function, agent, steps)


def _call(function: Any, agent: DynaQ, steps: int) -> FloatArray:
    assert agent.env is not None
    maze: Any = agent.env.unwrapped
    values: Any = agent.values
    exploration: Any = agent.exploration
    planning: Any = agent.planning
    moves = maze.maze.dynamics.moves
    arrays = (moves.next_state.astype(np.uint32), moves.reward, moves.terminated.astype(np.uint8))
    function(
        ctypes.c_int64(steps),
        ctypes.c_int(planning.planning_steps),
        ctypes.c_double(values.learning_rate),
        ctypes.c_double(values.gamma),
        ctypes.c_double(exploration.rule.epsilon),
        *(_pointer(array) for array in arrays),
        ctypes.c_uint32(maze.maze.dynamics.starts[0]),
        _pointer(state_words(agent.rng)),
        _pointer(values.q),
    )
    q: FloatArray = values.q
    return q


def _pointer(array: npt.NDArray[Any]) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)
