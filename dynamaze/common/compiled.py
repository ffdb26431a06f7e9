"""Decorators of compiled functions.

Compiled code is stored for later processes by `compile_cache`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

from .compile_cache import cached


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function that creates no arrays.

    It is inlined into its compiled callers, does not count references to arrays and releases the
    interpreter lock. The counting alone made whole runs four to ten times slower.
    """
    return cached(njit(nogil=True, forceinline=True, _nrt=False)(function))  # type: ignore[call-overload]  # _nrt is not in Numba's stub


def compiled_sums(function: Callable[..., Any]) -> Any:
    """Compile a function of long sums like `compiled`, with terms added in any order.

    Several terms are then added at once (SIMD); the last bits differ from those of a plain loop.
    """
    orders = {"reassoc", "contract", "nsz"}
    return cached(njit(nogil=True, fastmath=orders, _nrt=False)(function))  # type: ignore[call-overload]  # as above


def spliced(function: Callable[..., Any]) -> Any:
    """Compile a small function of the innermost loop, inlined as source by Numba.

    Constants of the caller, such as the number of actions, are then known when the function's loops
    are compiled. For small functions without an early return: large ones take minutes to compile.
    """
    return cached(njit(inline="always")(function))


def compiled_with_arrays(function: Callable[..., Any]) -> Any:
    """Compile a function that creates arrays."""
    return cached(njit(nogil=True)(function))
