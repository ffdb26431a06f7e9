"""Decorators of compiled functions.

Compiled code is stored for later processes by `compile_cache`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

from .compile_cache import INTERPRETED, cached

NO_WRAPPERS = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Options of functions that only compiled code calls."""


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function that creates no arrays.

    It is inlined into its compiled callers, does not count references to arrays and releases the
    interpreter lock. The counting alone made whole runs four to ten times slower.
    """
    return _compiled(function, forceinline=True, _nrt=False)


def compiled_sums(function: Callable[..., Any]) -> Any:
    """Compile a function of long sums like `compiled`, with terms added in any order.

    Several terms are then added at once (SIMD); the last bits differ from those of a plain loop.
    """
    orders = {"reassoc", "contract", "nsz"}
    return _compiled(function, fastmath=orders, _nrt=False)


def spliced(function: Callable[..., Any]) -> Any:
    """Compile a small function of the innermost loop, inlined as source by Numba.

    Constants of the caller, such as the number of actions, are then known when the function's loops
    are compiled. For small functions without an early return: large ones take minutes to compile.
    """
    return cached(njit(inline="always", no_cfunc_wrapper=True)(function))  # type: ignore[call-overload]  # not in Numba's stub


def compiled_with_arrays(function: Callable[..., Any]) -> Any:
    """Compile a function that creates arrays."""
    return _compiled(function)


def _compiled(function: Callable[..., Any], **options: Any) -> Any:
    """Compile a function when it is first called, from Python and from compiled code separately.

    Compiled callers need no wrapper that converts arguments from Python's objects. For records of
    many arrays, making it took a third of the time of compilation.
    """
    options = {"nogil": True, "no_cfunc_wrapper": True, **options}
    function_of_python = cached(njit(**options)(function))
    if not INTERPRETED:
        inner = cached(njit(**{**options, **NO_WRAPPERS})(function), name="inner")
        # The two methods by which Numba finds what a compiled caller calls.
        function_of_python.get_call_template = inner.get_call_template
        function_of_python.get_overload = inner.get_overload
    return function_of_python
