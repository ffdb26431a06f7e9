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

import ast
import dis
import hashlib
import importlib.util
import inspect
import sys
import sysconfig
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.envs.registration import EnvSpec

import dynamaze
from dynamaze.benchmarks.harness.store.description import (
    RUN_OPTIONS,
    canonical_json,
    describe,
    describe_configuration,
    describe_options,
    qualified_name,
    sha256,
)
from dynamaze.common.configuration import Configurable

__all__ = [
    "RUN_OPTIONS",
    "canonical_json",
    "code_digest",
    "describe",
    "describe_configuration",
    "describe_options",
    "sources_digest",
]

PACKAGES = ("common", "envs", "agents", "distill")
"""Our packages that count as a whole."""

_BENCHMARKS = "dynamaze.benchmarks."
_HARNESS = f"{_BENCHMARKS}harness."
_AGENT_RUNS = f"{_HARNESS}agent_runs."
"""The folder of the harness whose modules count as a whole; of others what a trial reaches."""
_ANALYSIS = f"{_HARNESS}analysis."
"""The folder of the harness whose classes count too; those of others are interfaces."""


def code_digest(*objects: Any) -> str:
    """Return a digest of our sources and of the code behind objects.

    Args:
        objects: functions, classes, partials, objects of classes, and containers of them.
    """
    code = _Code()
    for each in objects:
        if isinstance(each, types.FunctionType) and each.__module__.startswith(_BENCHMARKS):
            code.merge(_code_of_trial(each))
        else:
            code.add(each)
    lines = [sources_digest(), *code.lines, *code.module_lines()]
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


@cache
def sources_digest() -> str:
    """Return a digest of all our sources of `PACKAGES`."""
    digest = hashlib.sha256()
    for package in PACKAGES:
        spec = importlib.util.find_spec(f"{dynamaze.__name__}.{package}")
        for place in (spec.submodule_search_locations if spec else None) or ():
            root = Path(place).resolve()
            paths = {
                path.relative_to(root).as_posix(): path
                for path in root.rglob("*.py")
                if not path.is_symlink()
            }
            for name, path in sorted(paths.items()):
                digest.update(f"{package}/{name} {_file_digest(path)}\n".encode())
    return digest.hexdigest()


class _Code:
    """Collects lines that tell the code behind objects, and the modules that it stands in."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._modules: set[str] = set()
        self._seen: dict[int, Any] = {}  # id -> object, which is kept so that ids stay unique

    def merge(self, other: _Code) -> None:
        """Add what another one has collected."""
        self.lines += other.lines
        self._modules |= other._modules

    def drop_libraries(self) -> None:
        """Forget the modules of libraries."""
        self._modules = {name for name in self._modules if not _is_library(name)}

    def module_lines(self) -> Iterator[str]:
        """Yield a line for each module and, in turn, for the modules that it imports."""
        waiting, seen = sorted(self._modules), set(self._modules)
        lines = set()
        while waiting:
            name = waiting.pop()
            line, imported = _module_line(name)
            lines.add(line)
            new = {each for each in imported if not _is_library(each)} - seen
            seen |= new
            waiting.extend(new)
        yield from sorted(filter(None, lines))

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
        self._modules.add(value.__name__)

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
            self._modules.add(entry.partition(":")[0])
        else:
            self.add(entry)
        for wrapper in value.additional_wrappers:
            self._modules.add(wrapper.entry_point.partition(":")[0])
        self.add(value.kwargs)

    def _add_function(self, function: types.FunctionType) -> None:
        self.lines.append(f"function {qualified_name(function)}")
        if _counts_as_whole(function.__module__):
            self._modules.add(function.__module__)
            if function.__module__.startswith(_BENCHMARKS):
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
        if _is_harness(function.__module__):
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
            if _counts_as_whole(base.__module__):
                self._modules.add(base.__module__)
            elif not _is_harness(base.__module__):
                self._add_attributes(base)
            elif base.__module__.startswith(_ANALYSIS):
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
        if isinstance(value, types.ModuleType) and _is_harness(value.__name__):
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


def _counts_as_whole(module: str | None) -> bool:
    """Tell whether a module counts by its file, not by what is used of it."""
    if module is None or module == "__main__" or _is_harness(module):
        return False
    return _module_file(module) is not None


def _is_harness(module: str) -> bool:
    """Tell whether a module shows, stores or moves results."""
    return module.startswith(_HARNESS) and not module.startswith(_AGENT_RUNS)


def _module_of(item: Any) -> str | None:
    """Return the module in which a function of a class, or a property, was written."""
    for name in ("fget", "__func__"):
        item = getattr(item, name, item)
    return getattr(item, "__module__", None)


def _module_file(name: str) -> str | None:
    """Return the file of a module, "" if it is built in, or None if it is unknown."""
    if name in sys.builtin_module_names:
        return ""
    module = sys.modules.get(name)
    found = getattr(module, "__file__", None)
    if found is None:
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, AttributeError, ValueError):
            return None
        found = spec.origin if spec is not None and spec.has_location else None
    return found


def _module_line(name: str) -> tuple[str, Iterable[str]]:
    """Return a line that tells the state of a module, and the modules whose state counts, too."""
    top = name.partition(".")[0]
    if top == dynamaze.__name__:
        parts = name.split(".")
        if parts[1:2] != ["benchmarks"] or _is_harness(name):
            return "", ()  # `sources_digest` has it, or it changes nothing
    if top in sys.stdlib_module_names:
        return "", ()
    if top != dynamaze.__name__ and _is_library(name):
        return f"library {top} {getattr(sys.modules.get(top), '__version__', '')}", ()
    file = _module_file(name)
    if not file:
        return f"module {name}", ()
    path = Path(file)
    state = path.stat() if path.exists() else None
    return _file_line(name, path, (state.st_mtime_ns, state.st_size) if state else ())


@cache
def _file_line(name: str, path: Path, state: tuple[int, ...]) -> tuple[str, Iterable[str]]:
    """Return the line and the imports of a module's file, which is read once in each state."""
    imported = _imported_modules(name, path) if path.suffix == ".py" else ()
    return f"file {name} {_file_digest(path)}", imported


@cache
def _library_folders() -> tuple[Path, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return tuple({Path(sysconfig.get_path(name)).resolve() for name in names})


def _is_library(name: str) -> bool:
    """Tell whether a module belongs to Python or to an installed library other than this one."""
    file = _module_file(name)
    if name.partition(".")[0] == dynamaze.__name__ or not file:
        return file == ""
    path = Path(file).resolve()
    return "site-packages" in path.parts or any(
        path.is_relative_to(folder) for folder in _library_folders()
    )


def _imported_modules(name: str, path: Path) -> set[str]:
    """Return the modules that a source file imports, as far as they can be found."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return set()
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    candidates: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            candidates |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            candidates |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return {each for each in candidates if each and _is_module(each)}


def _is_module(name: str) -> bool:
    if name.partition(".")[0] in sys.stdlib_module_names:
        return False
    return name in sys.modules or _module_file(name) is not None


def _file_digest(path: Path) -> str:
    """Return the digest of a source; the same on systems with other ends of lines."""
    try:
        content = path.read_bytes()
    except OSError:
        return ""
    return sha256(content.replace(b"\r\n", b"\n") if path.suffix == ".py" else content)
