"""Compilation of functions that only compiled code calls: they are optimised within their callers.

Numba optimises every function and turns it into machine code before it links it into the functions
that call it, which optimise it again. A rule that is called through five others was optimised six
times. Here such a function stops at LLVM's intermediate code; the caller from Python optimises all
that it has collected, once, and knows by then the constants that it was called with.
"""

# Numba's compiler has no types.
# mypy: allow-untyped-calls, allow-untyped-decorators
from __future__ import annotations

from typing import Any

from numba import _dynfunc  # type: ignore[attr-defined]  # a module in C
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.compiler_machinery import register_pass
from numba.core.environment import lookup_environment
from numba.core.typed_passes import NativeLowering


class _CalleeLibrary(JITCodeLibrary):
    """Intermediate code of a function and of the functions that it calls."""

    def finalize(self) -> None:
        self._raise_if_finalized()
        for library in dict.fromkeys(self._linking_libraries):
            _reloads(self).update(_reloads(library))
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalized = True


def _reloads(library: Any) -> set[Any]:
    """Return a library's functions that initialise it when it is loaded; Numba 0.61 has none."""
    found: set[Any] = getattr(library, "_reload_init", set())
    return found


@register_pass(mutates_CFG=True, analysis_only=False)
class _CalleeLowering(NativeLowering):
    """Last pass of a function that compiled code calls."""

    _name = "callee_lowering"

    def run_pass(self, state: Any) -> bool:
        codegen, name = state.targetctx.codegen(), state.func_id.func_qualname
        state.library = library = _CalleeLibrary(codegen, name)
        state.flags.no_compile = True
        super().run_pass(state)
        lowered = state["cr"]
        library._ensure_finalized()
        key = _dynfunc.make_function(
            lowered.fndesc.lookup_module(), name.split(".")[-1], "", 0, lowered.env, (library,)
        )
        state.targetctx.insert_user_function(key, lowered.fndesc, [library])
        if hasattr(state, "reload_init"):
            state.reload_init.extend(_reloads(library))
        state["cr"] = lowered._replace(cfunc=key)
        return True


@register_pass(mutates_CFG=True, analysis_only=False)
class _CallerLowering(NativeLowering):
    """Last pass of a function that Python calls."""

    _name = "caller_lowering"

    def run_pass(self, state: Any) -> bool:
        super().run_pass(state)
        # Callees find their environments, which `print` uses, in the caller's machine code.
        for each in state.library._final_module.global_variables:
            environment = lookup_environment(each.name)
            if environment is not None:
                state.targetctx.codegen().set_env(each.name, environment)
        return True


class CallerCompiler(Compiler):
    """Numba's compiler of a function that Python calls, with what it calls."""

    lowering: type[NativeLowering] = _CallerLowering

    def define_pipelines(self) -> Any:
        """Return Numba's pipelines with another last pass."""
        pipelines = super().define_pipelines()
        for pipeline in pipelines:
            pipeline.passes = [
                (self.lowering if each is NativeLowering else each, description)
                for each, description in pipeline.passes
            ]
        return pipelines


class CalleeCompiler(CallerCompiler):
    """Numba's compiler, without what a function needs that Python calls."""

    lowering = _CalleeLowering
