"""Fingerprints of the code that determines a run; those of its values are in `description`.

`code_digest` is a digest of the code behind functions and classes:

1. our sources of environments, agents and distillation, all of them;
2. the module of each function or class, with the modules that it imports in turn, except libraries
   and the harness of experiments; a class or function of a library counts by its version;
3. of the harness, whose modules mostly show or move results: the functions that an experiment's
   trial reaches by its globals, such as the seeds of runs or the intervals whose coverage is
   measured, each by its own source and the constants that it uses;
4. for functions and classes of `__main__`, of notebooks and of text without a file: their bytecode
   with constants, defaults, closures and the globals that they use. The rest of a script may be
   edited.

Closures and the arguments of partials count everywhere.
"""

from __future__ import annotations

import dis
import inspect
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.envs.registration import EnvSpec

from dynamaze.benchmarks.harness.store.description import (
    RUN_OPTIONS,
    canonical_json,
    describe,
    describe_configuration,
    describe_options,
    sha256,
)
from dynamaze.benchmarks.harness.store.source_files import (
    ANALYSIS,
    BENCHMARKS,
    counts_as_whole,
    is_harness,
    is_library,
    module_lines,
    sources_digest,
)
from dynamaze.common.configuration import Configurable
from dynamaze.common.origin import qualified_name

__all__ = [
    "RUN_OPTIONS",
    "canonical_json",
    "code_digest",
    "describe",
    "describe_configuration",
    "describe_options",
    "sources_digest",
]


def code_digest(*objects: Any) -> str:
    """Return a digest of our sources and of the code behind objects.

    Args:
        objects: functions, classes, partials, objects of classes, and containers of them.
    """
    code = _Code()
    for each in objects:
        if isinstance(each, types.FunctionType) and each.__module__.startswith(BENCHMARKS):
            code.merge(_code_of_trial(each))
        else:
            code.add(each)
    lines = [sources_digest(), *code.lines, *module_lines(code.modules)]
    return sha256("\n".join(lines).encode(errors="surrogatepass"))


@cache
def _code_of_trial(function: types.FunctionType) -> _Code:
    """Return the code behind a function of ours, which is asked for by every setting.

    The libraries that it uses do not count, as those of our other sources do not.
    """
    code = _Code()
    code.add(function)
    code.drop_libraries()
    return code


class _Code:
    """Collects lines that tell the code behind objects, and the modules that it stands in."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.modules: set[str] = set()
        self._seen: dict[int, Any] = {}  # id -> object, which is kept so that ids stay unique

    def merge(self, other: _Code) -> None:
        """Add what another one has collected."""
        self.lines += other.lines
        self.modules |= other.modules

    def drop_libraries(self) -> None:
        """Forget the modules of libraries."""
        self.modules = {name for name in self.modules if not is_library(name)}

    def add(self, value: Any) -> None:
        """Add the code behind an object."""
        value = getattr(value, "py_func", value)  # of what Numba compiles
        if isinstance(value, _ATOMS) or id(value) in self._seen:
            return
        self._seen[id(value)] = value
        for kinds, rule in _CODE_RULES:
            if isinstance(value, kinds):
                rule(self, value)
                return
        self._add_object(value)

    def _add_partial(self, value: partial[Any]) -> None:
        self._add_all((value.func, *value.args, *value.keywords.values()))

    def _add_all(self, values: Iterable[Any]) -> None:
        for each in values:
            self.add(each)

    def _add_set(self, value: Set[Any]) -> None:
        self._add_all(sorted(value, key=lambda each: canonical_json(_safe_description(each))))

    def _add_method(self, value: types.MethodType) -> None:
        self._add_all((value.__func__, value.__self__))

    def _add_module(self, value: types.ModuleType) -> None:
        self.modules.add(value.__name__)

    def _add_accessor(self, value: Any) -> None:
        for name in ("fget", "fset", "fdel", "__func__"):
            self.add(getattr(value, name, None))

    def _add_object(self, value: Any) -> None:
        self.add(type(value))
        if callable(value) and hasattr(value, "__wrapped__"):
            self.add(value.__wrapped__)
        if is_dataclass(value):
            for field in fields(value):
                self.add(getattr(value, field.name, None))
        elif isinstance(value, Configurable):
            self.add(value.get_params())

    def _add_spec(self, value: EnvSpec) -> None:
        entry = value.entry_point
        if isinstance(entry, str):
            self.modules.add(entry.partition(":")[0])
        else:
            self.add(entry)
        for wrapper in value.additional_wrappers:
            self.modules.add(wrapper.entry_point.partition(":")[0])
        self.add(value.kwargs)

    def _add_function(self, function: types.FunctionType) -> None:
        self.lines.append(f"function {qualified_name(function)}")
        if counts_as_whole(function.__module__):
            self.modules.add(function.__module__)
            if function.__module__.startswith(BENCHMARKS):
                self._add_all(_globals_of(function).values())
        else:
            self._add_own_code(function)
        for cell in function.__closure__ or ():
            try:
                content = cell.cell_contents
            except ValueError:  # not yet set
                continue
            self._add_values([content])

    def _add_own_code(self, function: types.FunctionType) -> None:
        if is_harness(function.__module__):
            self.lines.append(inspect.getsource(function))
        else:
            self._add_bytecode(function.__code__)
        self._add_values((function.__defaults__, function.__kwdefaults__))
        for name, value in _globals_of(function).items():
            self.lines.append(f"global {name}")
            self._add_values([value])

    def _add_bytecode(self, code: types.CodeType) -> None:
        names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
        counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount)
        table = getattr(code, "co_exceptiontable", b"")
        self.lines.append(f"code {code.co_code.hex()} {table.hex()} {counts} {names}")
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                self._add_bytecode(constant)
            else:
                self.lines.append(canonical_json(_safe_description(constant)))

    def _add_values(self, values: Iterable[Any]) -> None:
        """Add values that code uses: their descriptions, and the code behind them."""
        for value in values:
            if not isinstance(value, types.ModuleType):
                self.lines.append(canonical_json(_safe_description(value)))
            self.add(value)

    def _add_class(self, value: type) -> None:
        for base in value.__mro__:
            if base.__module__ == "builtins" or (base is not value and id(base) in self._seen):
                continue
            self._seen[id(base)] = base
            self.lines.append(f"class {qualified_name(base)}")
            if counts_as_whole(base.__module__):
                self.modules.add(base.__module__)
            elif not is_harness(base.__module__):
                self._add_attributes(base)
            elif base.__module__.startswith(ANALYSIS):
                self.lines.append(inspect.getsource(base))
                own = vars(base).values()
                self._add_all(each for each in own if _module_of(each) == base.__module__)

    def _add_attributes(self, value: type) -> None:
        for name, item in sorted(vars(value).items()):
            if name not in _CLASS_ITEMS:
                self.lines.append(f"attribute {name}")
                if isinstance(item, (types.FunctionType, property, staticmethod, classmethod)):
                    self.add(item)
                else:
                    self._add_values([item])


_ATOMS = (
    *(type(None), bool, int, float, complex, str, bytes),
    *(np.generic, np.ndarray, Path, Enum),
)
"""Values without code."""

_CODE_RULES: tuple[tuple[Any, Callable[[_Code, Any], None]], ...] = (
    (partial, _Code._add_partial),
    (Mapping, lambda code, value: code._add_all(value.values())),
    ((list, tuple), _Code._add_all),
    ((set, frozenset), _Code._add_set),
    (types.ModuleType, _Code._add_module),
    (types.MethodType, _Code._add_method),
    (types.FunctionType, _Code._add_function),
    ((property, staticmethod, classmethod), _Code._add_accessor),
    (type, _Code._add_class),
    (EnvSpec, _Code._add_spec),
)

_CLASS_ITEMS = {
    "__annotations__",
    "__dataclass_fields__",
    "__dataclass_params__",
    "__dict__",
    "__doc__",
    "__firstlineno__",
    "__match_args__",
    "__module__",
    "__static_attributes__",
    "__weakref__",
    "_abc_impl",
    "_arguments",
}


def _safe_description(value: Any) -> Any:
    """Return the description of a value that code uses, or of its class if it has none."""
    try:
        return describe(value)
    except (TypeError, ValueError, RecursionError, AttributeError):
        return {"type": qualified_name(type(value))}


def _globals_of(function: types.FunctionType) -> dict[str, Any]:
    """Return the globals that a function uses, by name; of the harness's modules what it uses."""
    codes = list(_nested(function.__code__))
    loaded = {name for code in codes for name in _loaded_names(code)}
    attributes = {name for code in codes for name in code.co_names}
    found: dict[str, Any] = {}
    for name in sorted(loaded & function.__globals__.keys()):
        value = found[name] = function.__globals__[name]
        if isinstance(value, types.ModuleType) and is_harness(value.__name__):
            own = vars(value)
            found |= {f"{name}.{each}": own[each] for each in sorted(attributes & own.keys())}
    return found


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    """Yield code and that of the functions and classes inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _nested(constant)


def _loaded_names(code: types.CodeType) -> Iterator[str]:
    """Yield the names of the globals that code loads."""
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield instruction.argval


def _module_of(item: Any) -> str | None:
    """Return the module in which a function of a class, or a property, was written."""
    for name in ("fget", "__func__"):
        item = getattr(item, name, item)
    return getattr(item, "__module__", None)
