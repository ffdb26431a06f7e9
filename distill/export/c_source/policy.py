"""Policy that compiles a student's C header and calls it from Python, for tests and timing."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.reading import parse_json, read_bytes

from ...core.distributions import Bounds
from ...core.map_state import checked_cells
from ...core.size import microseconds
from ..common.exported_policy import ExportedPolicy, no_agent_error
from .templates import ABOUT, SHIM, SHIM_DISCRETE, SHIM_GAUSSIAN

FLAGS = ("-O3", "-march=native", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror")
MOST_BYTES = 2**28
"""Largest size of a header."""

CALLS = 256
"""Decisions in one timed call, since a call from Python takes longer than a decision."""


def find_compiler() -> str | None:
    """Return the path of the C compiler, None if there is none."""
    return shutil.which("gcc") or shutil.which("cc")


class CPolicy(ExportedPolicy):
    """Policy of a header written by `export_c`.

    With continuous actions it has `action_gaussian(observations)` and `bounds`, as
    `GaussianStudent`, instead of logits. That of a GRU has a recurrent state, as `GRU`.

    Args:
        header: the file.
        *options: more options for the compiler.

    Raises:
        RuntimeError: if there is no C compiler.
        ValueError: for a header that `export_c` did not write.
        OSError: if it cannot be read.
    """

    def __init__(self, header: Path, *options: str) -> None:
        compiler = find_compiler()
        if compiler is None:
            raise RuntimeError("no C compiler found; expected gcc or cc on the path")
        text = read_bytes(header, MOST_BYTES).decode()
        found = re.search(r"static inline int (\w+)_act\(const (\w+(?: \w+)?) \*observation", text)
        if found is None:
            raise ValueError(f"{header} has no function NAME_act; expected a file of export_c")
        name, kind = found.groups()
        sizes = dict(re.findall(rf"#define {name}_([A-Z]+) (\d+)", text))
        grid = (int(sizes["ROWS"]), int(sizes["COLS"])) if "ROWS" in sizes else None
        super().__init__(_bounds_in(text), int(sizes.get("MEMORY", 0)), grid)
        calls = SHIM_DISCRETE if self._bounds is None else SHIM_GAUSSIAN
        of_row = ", memory + i * NAME_MEMORY" if self.width else ""
        shim = SHIM.format(header=header.name, of_row=of_row, **calls)
        shim = shim.replace("INPUT", kind).replace("NAME", name)
        if missing := {"SIZE", "ACTIONS" if self._bounds is None else "DIMENSIONS"} - set(sizes):
            raise ValueError(f"{header} has no {name}_{min(missing)}; expected a file of export_c")
        self._size = int(sizes["SIZE"])
        if self._bounds is None:
            self._columns = self.num_actions = int(sizes["ACTIONS"])
        else:
            self._columns = 2 * int(sizes["DIMENSIONS"])
        self._dtype = np.dtype("u1" if kind == "unsigned char" else "f4")
        with TemporaryDirectory() as folder:
            source, library = Path(folder, "policy.c"), Path(folder, "policy.so")
            source.write_text(shim)
            command = [compiler, *FLAGS, *options, f"-I{header.resolve().parent}", str(source)]
            try:
                subprocess.run([*command, "-o", str(library), "-lm"], check=True)
            except subprocess.CalledProcessError as error:
                raise ValueError(f"{header} cannot be compiled: {error}") from None
            self._functions: Any = ctypes.CDLL(str(library))
        self._functions.act_on.restype = ctypes.c_long

    def act(self, observation: Any) -> Any:
        """Return the best action for one observation, or the action of the mean.

        A Discrete action is -1 if no cell is marked. Continuous ones are arrays of float32, as the
        environment takes them.

        Raises:
            ValueError: for continuous actions, if no cell is marked.
        """
        memory, actions = self.recall(1), self._default_actions(1)
        action = self._act_on(self._seen(np.asarray(observation)[None]), memory, actions)
        self._keep(memory)
        if self._bounds is None:
            return action
        if action < 0:
            raise no_agent_error()
        return actions.reshape(self._bounds.low.shape)

    def _rows(self, observations: Any) -> FloatArray:
        seen = self._seen(observations)
        rows = np.zeros((len(seen), self._columns), dtype=np.float32)
        memory, count = self.recall(len(seen)), ctypes.c_long(len(seen))
        self._functions.rows_of(_pointer(seen), count, _pointer(memory), _pointer(rows))
        self._keep(memory)
        return rows.astype(np.float64)

    def microseconds(self, observation: Any) -> float:
        """Return the time of a decision in C, in microseconds."""
        seen = self._seen(np.repeat(np.asarray(observation)[None], CALLS, axis=0))
        memory = np.zeros((CALLS, self.width), dtype=np.float32)
        actions = self._default_actions(CALLS)
        return microseconds(lambda: self._act_on(seen, memory, actions)) / CALLS

    def _act_on(self, seen: Any, memory: Any, actions: Any) -> int:
        count = ctypes.c_long(len(seen))
        pointers = _pointer(memory), _pointer(actions)
        return int(self._functions.act_on(_pointer(seen), count, *pointers))

    def _default_actions(self, count: int) -> Any:
        dimensions = 0 if self._bounds is None else self._bounds.dimensions
        return np.zeros((count, dimensions), dtype=np.float32)

    def _seen(self, observations: Any) -> Any:
        if self._grid is not None:
            return checked_cells(observations, self._grid)
        seen = np.ascontiguousarray(observations, dtype=self._dtype)
        return seen.reshape(len(seen), self._size)


def _bounds_in(header: str) -> Bounds | None:
    """Return the bounds of a header of continuous actions; None for Discrete ones.

    Raises:
        ValueError: for invalid bounds.
    """
    found = re.search(re.escape(ABOUT).replace(r"\{document\}", r"(\{.*\})"), header)
    return None if found is None else Bounds.from_json(parse_json(found[1]))


def _pointer(array: Any) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)  # type: ignore[no-any-return]
