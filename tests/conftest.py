"""Settings of all tests: no display, one thread, reproducible examples."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
# The tests' matrices are small, and threads that share a core with others only wait for each other.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
# OpenBLAS, MKL and torch add in another order on each kind of processor; with one kernel golden
# values are the same on all processors that have it.
cpu = Path("/proc/cpuinfo")
if cpu.exists() and "avx2" in cpu.read_text(encoding="utf-8"):
    os.environ.setdefault("OPENBLAS_CORETYPE", "Haswell")
    os.environ.setdefault("MKL_CBWR", "COMPATIBLE")
    os.environ.setdefault("ATEN_CPU_CAPABILITY", "avx2")

import hypothesis  # noqa: E402  # NumPy reads the variables when it is imported
import pytest  # noqa: E402
from gymnasium.envs.registration import register, registry  # noqa: E402

# Gymnasium 1.1 has them under their older numbers; the tests use none of the differences.
for new, old in (("CliffWalking-v1", "CliffWalking-v0"), ("Taxi-v4", "Taxi-v3")):
    if new not in registry:
        spec = registry[old]
        register(new, spec.entry_point, max_episode_steps=spec.max_episode_steps)

# No test measures time, the first call of compiled code is slow, and a failure must come again.
hypothesis.settings.register_profile("dynamaze", deadline=None, derandomize=True, max_examples=60)
hypothesis.settings.load_profile("dynamaze")


@pytest.fixture
def blas_threads() -> Iterator[Callable[[], set[int]]]:
    """Allow BLAS two threads, and return a function of the numbers that it uses."""
    threadpoolctl = pytest.importorskip("threadpoolctl", reason="it limits threads")

    def numbers() -> set[int]:
        found = threadpoolctl.threadpool_info()
        return {each["num_threads"] for each in found if each["user_api"] == "blas"}

    with threadpoolctl.threadpool_limits(limits=2, user_api="blas"):
        yield numbers
