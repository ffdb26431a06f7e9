"""How large a policy is: four axes, none of which stands for another."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

MEASURED, SECONDS = 25, 2e-3
"""A time is the least of so many measurements, each of calls that take at least so long."""

FLOAT_BYTES = 4


class Size(NamedTuple):
    """How large a policy is."""

    parameters: int
    bytes: int  # of the weights as they are stored
    multiply_adds: int  # for one decision
    microseconds: float  # for one decision, on one thread

    def __str__(self) -> str:
        return (
            f"{self.parameters:,} parameters, {self.bytes:,} bytes, {self.multiply_adds:,} "
            f"multiply-adds, {self.microseconds:.3g} microseconds"
        )


def measure(policy: Any, observation: Any, *, runs_as: Any = None) -> Size:
    """Size up a policy.

    Args:
        policy: what tells `num_parameters` and `multiply_adds`, and acts by `act(observation)`; if
            it tells no `num_bytes`, each parameter counts as many as its own, or as a float's.
        observation: a single one, of the size that counts.
        runs_as: the same policy in another form, such as without torch, whose time is taken
            instead.
    """
    acting = policy if runs_as is None else runs_as
    return Size(
        int(policy.num_parameters),
        num_bytes(policy),
        int(policy.multiply_adds(np.shape(observation))),
        microseconds(lambda: acting.act(observation)),
    )


def num_bytes(policy: Any) -> int:
    """The bytes of a policy's weights."""
    told = getattr(policy, "num_bytes", None)
    if told is not None:
        return int(told)
    if hasattr(policy, "parameters"):
        return sum(weight.numel() * weight.element_size() for weight in policy.parameters())
    return FLOAT_BYTES * int(policy.num_parameters)


def microseconds(
    call: Callable[[], Any], *, clock: Callable[[], float] = time.perf_counter
) -> float:
    """How long a call takes on one thread.

    The least of several measurements, for whatever else the machine does only adds to a time.

    Args:
        call: what is measured, after one call that is not.
        clock: in seconds.
    """
    with one_thread():
        call()
        number = 1
        while (taken := _time(call, number, clock)) < SECONDS:
            number *= 2
        least = min(taken, *(_time(call, number, clock) for _ in range(MEASURED - 1)))
    return least / number * 1e6


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch, if it is loaded, use one thread."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _time(call: Callable[[], Any], number: int, clock: Callable[[], float]) -> float:
    began = clock()
    for _ in range(number):
        call()
    return clock() - began
