"""A student's C header, compiled and asked from Python: for proofs and times."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from .forms.c_sources import SHIM
from .forms.remembering import Remembering
from .logits import FloatArray, LogitPolicy
from .measure import microseconds

FLAGS = ("-O3", "-march=native", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror")
CALLS = 256
"""A call from Python takes longer than a decision; so many decisions are timed in one."""


def find_compiler() -> str | None:
    """The C compiler's path, None if there is none."""
    return shutil.which("gcc") or shutil.which("cc")


class CPolicy(Remembering, LogitPolicy):
    """What `export_c` wrote, as a policy; a GRU's remembers, as `GRU` does.

    Args:
        header: the file.
        *options: more options for the compiler.

    Raises:
        RuntimeError: if there is no C compiler.
        ValueError: for a header that `export_c` did not write.
    """

    def __init__(self, header: Path, *options: str) -> None:
        compiler = find_compiler()
        if compiler is None:
            raise RuntimeError("no C compiler found; expected gcc or cc on the path")
        text = header.read_text()
        found = re.search(
            r"static inline int (\w+)_act\(const (\w+(?: \w+)?) \*observation(, float)?", text
        )
        if found is None:
            raise ValueError(f"{header} has no function to act; expected a file of export_c")
        name, kind, remembers = found.groups()
        of_row = ", memory + i * NAME_MEMORY" if remembers else ""
        shim = SHIM.format(header=header.name, of_row=of_row)
        shim = shim.replace("INPUT", kind).replace("NAME", name)
        sizes = dict(re.findall(rf"#define {name}_(SIZE|ACTIONS|MEMORY) (\d+)", text))
        self.width = int(sizes.get("MEMORY", 0))
        if remembers:
            self.memory = None
        self._size, self.num_actions = int(sizes["SIZE"]), int(sizes["ACTIONS"])
        self._dtype = np.dtype("u1" if kind == "unsigned char" else "f4")
        with TemporaryDirectory() as folder:
            source, library = Path(folder, "policy.c"), Path(folder, "policy.so")
            source.write_text(shim)
            command = [compiler, *FLAGS, *options, f"-I{header.resolve().parent}", str(source)]
            subprocess.run([*command, "-o", str(library), "-lm"], check=True)
            self._functions: Any = ctypes.CDLL(str(library))
        self._functions.act_on.restype = ctypes.c_long

    def act(self, observation: Any) -> int:
        """The best action for one observation, -1 where no cell is the agent's."""
        memory = self._recalled(1)
        action = self._act_on(self._rows(np.asarray(observation)[None]), memory)
        self._keep(memory)
        return action

    def action_logits(self, observations: Any) -> FloatArray:
        """(batch, actions) logits for a batch of observations."""
        rows = self._rows(observations)
        logits = np.zeros((len(rows), self.num_actions), dtype=np.float32)
        memory, count = self._recalled(len(rows)), ctypes.c_long(len(rows))
        self._functions.logits_of(_pointer(rows), count, _pointer(memory), _pointer(logits))
        self._keep(memory)
        return logits.astype(np.float64)

    def microseconds(self, observation: Any) -> float:
        """How long a decision takes in C."""
        rows = self._rows(np.repeat(np.asarray(observation)[None], CALLS, axis=0))
        memory = np.zeros((CALLS, self.width), dtype=np.float32)
        return microseconds(lambda: self._act_on(rows, memory)) / CALLS

    def _act_on(self, rows: Any, memory: Any) -> int:
        count = ctypes.c_long(len(rows))
        return int(self._functions.act_on(_pointer(rows), count, _pointer(memory)))

    def _recalled(self, count: int) -> Any:
        if hasattr(self, "memory"):
            return self.recall(count)
        return np.zeros((count, self.width), dtype=np.float32)

    def _keep(self, memory: Any) -> None:
        if hasattr(self, "memory"):
            self.memory = memory

    def _rows(self, observations: Any) -> Any:
        rows = np.ascontiguousarray(observations, dtype=self._dtype)
        return rows.reshape(len(rows), self._size)


def _pointer(array: Any) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)  # type: ignore[no-any-return]
