"""Decorators of compiled functions.

Compiled code is kept between processes, see `compile_cache`.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from numba import njit

from .compile_cache import cached


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a rule that works on the arrays it is given and makes none.

    It is put in line wherever compiled code calls it, counts no references to arrays and needs no
    interpreter lock. The counting alone made whole runs four to ten times slower.
    """
    return cached(njit(nogil=True, forceinline=True, _nrt=False)(function))  # type: ignore[call-overload]  # _nrt is not in Numba's stub


def compiled_sums(function: Callable[..., Any]) -> Any:
    """Compile, as `compiled` does, a rule of long sums: terms may be added in another order.

    So several are added at once; the last bits differ from those of a plain loop.
    """
    orders = {"reassoc", "contract", "nsz"}
    return cached(njit(nogil=True, fastmath=orders, _nrt=False)(function))  # type: ignore[call-overload]  # as above


def spliced(function: Callable[..., Any]) -> Any:
    """Compile a small rule of the innermost loop: Numba copies its lines into what calls it.

    Only so do constants of the caller, such as the number of actions, reach the rule before its
    loops are compiled. For small rules without an early return: large ones take minutes.
    """
    return cached(njit(inline="always")(function))


def compiled_with_arrays(function: Callable[..., Any]) -> Any:
    """Compile a function that makes arrays."""
    return cached(njit(nogil=True)(function))


def interpreted_generic(implementation: Callable[..., Callable[..., Any]]) -> Any:
    """Return a generic function for `NUMBA_DISABLE_JIT=1`, where nothing is compiled.

    Args:
        implementation: the function that Numba would call with the types of the arguments, of
            which it asks the class of the first, a record.
    """

    def call(record: Any, *arguments: Any) -> Any:
        record_type = SimpleNamespace(instance_class=type(record))
        return implementation(record_type, *arguments)(record, *arguments)

    return call
