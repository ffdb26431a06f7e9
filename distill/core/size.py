"""Size of a policy: parameters, bytes, multiply-adds and time of a decision."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.threads import one_torch_thread

MEASURED, SECONDS = 25, 2e-3
"""Number of measurements of a time, and the shortest duration of each in seconds."""

FLOAT_BYTES = 4


class ObjectCode(NamedTuple):
    """Size of a decision in C as object code."""

    bytes: int  # of code and read-only data
    compiler: str  # its name, version, option and machine


class Size(NamedTuple):
    """Size of a policy on four axes, and as object code."""

    parameters: int
    bytes: int  # of the weights as they are stored, without names and shapes
    multiply_adds: int  # for one decision
    microseconds: float | None = None  # for one decision, on one thread; None if not measured
    object_code: ObjectCode | None = None  # of a decision; None if not measured

    def __str__(self) -> str:
        counts = (
            f"{self.parameters:,} parameters, {self.bytes:,} bytes, {self.multiply_adds:,} "
            "multiply-adds"
        )
        return (
            counts
            if self.microseconds is None
            else f"{counts}, {self.microseconds:.3g} microseconds"
        )


def measure(policy: Any, observation: Any, *, runs_as: Any = None) -> Size:
    """Measure the size of a policy.

    Args:
        policy: has `num_parameters`, `multiply_adds` and `act(observation)`; without `num_bytes`,
            each parameter counts its own bytes, or those of a float.
        observation: a single one; multiply-adds and time depend on its size.
        runs_as: the same policy in another form, such as its export, whose time is taken instead.
    """
    acting = policy if runs_as is None else runs_as
    return Size(
        int(policy.num_parameters),
        num_bytes(policy),
        int(policy.multiply_adds(np.shape(observation))),
        microseconds(lambda: acting.act(observation)),
    )


def num_bytes(policy: Any) -> int:
    """Return the bytes of a policy's weights."""
    declared = getattr(policy, "num_bytes", None)
    if declared is not None:
        return int(declared)
    if hasattr(policy, "parameters"):
        return sum(weight.numel() * weight.element_size() for weight in policy.parameters())
    return FLOAT_BYTES * int(policy.num_parameters)


def microseconds(
    call: Callable[[], Any], *, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return the time of a call in microseconds, on one thread.

    It is the minimum over several measurements, since other load on the machine only adds time.

    Args:
        call: the function that is timed, after one call that is not.
        clock: in seconds.
    """
    with one_torch_thread():
        call()
        number = 1
        while (taken := _time(call, number, clock)) < SECONDS:
            number *= 2
        least = min(taken, *(_time(call, number, clock) for _ in range(MEASURED - 1)))
    return least / number * 1e6


def _time(call: Callable[[], Any], number: int, clock: Callable[[], float]) -> float:
    start = clock()
    for _ in range(number):
        call()
    return clock() - start
