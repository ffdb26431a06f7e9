"""Decorators of compiled functions.

Compiled code is stored for later processes by `compile_cache`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from numba import njit
from numba.core.compiler import Compiler
from numba.core.types import unliteral

from .compile_cache import INTERPRETED, cached

try:
    from .callees import CalleeCompiler, CallerCompiler
except ImportError:  # inner parts of Numba that another version may not have
    CalleeCompiler = CallerCompiler = Compiler  # type: ignore[misc, assignment]  # base class

jit: Any = njit  # its stub leaves most options out

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


def compiled_with_arrays(function: Callable[..., Any]) -> Any:
    """Compile a function that creates arrays."""
    return _compiled(function)


def compiled_callee(function: Callable[..., Any]) -> Any:
    """Compile a function like `compiled`, but for compiled callers only."""
    return function if INTERPRETED else _callee(function, **SCALAR)


SCALAR = {"nogil": True, "forceinline": True, "_nrt": False}
"""Options of functions that create no arrays."""


def _compiled(function: Callable[..., Any], **options: Any) -> Any:
    """Compile a function when it is first called, from Python and from compiled code separately.

    Compiled callers need no wrapper that converts arguments from Python's objects. For records of
    many arrays, making it took a third of the time of compilation.
    """
    options = {"nogil": True, **options}
    function_of_python = cached(
        jit(**options, no_cfunc_wrapper=True, pipeline_class=CallerCompiler)(function)
    )
    if not INTERPRETED:
        inner = _callee(function, **options)
        # The two methods by which Numba finds what a compiled caller calls.
        function_of_python.get_call_template = inner.get_call_template
        function_of_python.get_overload = inner.get_overload
    return function_of_python


def _callee(function: Callable[..., Any], **options: Any) -> Any:
    # The order in which long sums are added depends on what is optimised together.
    compiler = Compiler if "fastmath" in options else CalleeCompiler
    dispatcher = jit(**options, **NO_WRAPPERS, pipeline_class=compiler)(function)
    find, plain = dispatcher.get_call_template, cast(Any, unliteral)

    def find_for_any_number(args: Any, kws: Any) -> Any:
        # Numba would compile a call with a literal 4 and one with another integer separately.
        return find(tuple(map(plain, args)), {key: plain(kws[key]) for key in kws})

    dispatcher.get_call_template = find_for_any_number
    return dispatcher
