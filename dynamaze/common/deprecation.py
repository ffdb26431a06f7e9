"""Lazy exports of packages, and older names with a `DeprecationWarning`."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import wraps
from importlib import import_module
from types import FrameType
from typing import Any, ParamSpec, TypeVar

from .optional_imports import naming_extra

P = ParamSpec("P")
R = TypeVar("R")


def lazy_exports(
    package: str,
    modules: Mapping[str, str],
    renamed: Mapping[str, str] | None = None,
) -> Callable[[str], Any]:
    """Return the `__getattr__` of a package that imports a name on its first use.

    Args:
        package: the package's `__name__`.
        modules: public name -> module, relative to the package (`".students.mlp"`). An
            `ImportError` for a library that is missing there names what installs it.
        renamed: name of version 0.1 -> present name, which is in `modules` or already imported.
    """
    old_names = renamed or {}
    # `package.module` without an import of its own works, as it did before the names were lazy
    submodules = {module.split(".")[1] for module in modules.values() if module[0] == "."}

    def get(name: str) -> Any:
        if name in old_names:
            new = old_names[name]
            warn_renamed(f"{package}.{name}", f"{package}.{new}")
            return getattr(import_module(package), new)
        if name in submodules and name not in modules:
            with naming_extra(f"{package}.{name}"):
                return import_module(f"{package}.{name}")
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        with naming_extra(f"{package}.{name}"):
            return getattr(import_module(modules[name], package), name)

    return get


def lazy_package(
    package: str, modules: Mapping[str, str], renamed: Mapping[str, str] | None = None
) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__all__`, `__getattr__` and `__dir__` of a package whose names are all lazy.

    Args:
        package: the package's `__name__`.
        modules: as of `lazy_exports`.
        renamed: as of `lazy_exports`.
    """
    names = sorted(modules)
    return names, lazy_exports(package, modules, renamed), lambda: names


def moved_names(module: str, places: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a module of version 0.1 whose names are elsewhere now.

    Args:
        module: the old module's `__name__`.
        places: old name -> full present name (`"dynamaze.agents.sb3.DynaCallback"`).
    """

    def get(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        warn_renamed(f"{module}.{name}", places[name])
        package, _, new = places[name].rpartition(".")
        return getattr(import_module(package), new)

    return get


def renamed_arguments(**renamed: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function whose keyword arguments have new names: `notice="change_info"`.

    An old name is accepted with a `DeprecationWarning`; both at once raise a `TypeError`.
    """

    def translate(given: dict[str, Any], warn: Warn) -> dict[str, Any]:
        arguments = dict(given)
        for old in renamed.keys() & given.keys():
            new = renamed[old]
            if new in given:
                raise TypeError(f"{old}=... and {new}=... were given; expected {new} alone")
            warn(f"{old}=", f"{new}=")
            arguments[new] = arguments.pop(old)
        return arguments

    return translated_arguments(translate)


def grouped_arguments(
    argument: str, group: type, **renamed: str
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function some of whose keyword arguments are now the fields of a dataclass.

    A field given as a keyword is accepted with a `DeprecationWarning`, and is one of the dataclass
    that the function receives; keywords and the dataclass at once raise a `TypeError`.

    Args:
        argument: the argument that takes the dataclass.
        group: the dataclass.
        renamed: older name of a keyword -> field.
    """
    names = {**{field.name: field.name for field in fields(group)}, **renamed}

    def translate(given: dict[str, Any], warn: Warn) -> dict[str, Any]:
        if argument in given and not isinstance(given[argument], group):
            raise TypeError(f"{argument}={given[argument]!r}; expected a {group.__name__}")
        grouped: dict[str, Any] = {}
        for old in [name for name in given if name in names]:
            new = names[old]
            if argument in given:
                raise TypeError(
                    f"{old}=... and {argument}=... were given; expected {argument} alone"
                )
            if new in grouped:
                raise TypeError(
                    f"{old}=... and another name of it were given; expected {new} alone"
                )
            warn(f"{old}=", f"{argument}={group.__name__}({new}=...)")
            grouped[new] = given[old]
        others = {name: value for name, value in given.items() if name not in names}
        return {**others, argument: group(**grouped)} if grouped else others

    return translated_arguments(translate)


Warn = Callable[[str, str], None]
"""(old name, new name) -> None."""


def translated_arguments(
    translate: Callable[[dict[str, Any], Warn], dict[str, Any]],
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function that accepts old forms of its keyword arguments.

    Args:
        translate: returns the present keyword arguments for the given ones, and calls its second
            argument with the old and the present form of each that it replaces.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            return function(*args, **translate(kwargs, warn_renamed))

        # without a warning; for `Configurable`, and for arguments in old files
        inner: Callable[[dict[str, Any]], dict[str, Any]] = getattr(function, "new_arguments", dict)
        call.new_arguments = lambda given: inner(translate(given, _ignore))  # type: ignore[attr-defined]
        return call

    return decorate


def _ignore(old: str, new: str) -> None:
    """Do not warn."""


def renamed_method(old: str, new: str) -> Callable[..., Any]:
    """Return a method for a class body that calls another one, with a `DeprecationWarning`.

    Args:
        old: name of version 0.2: `imagine = renamed_method("imagine", "sample_transitions")`.
        new: present name.
    """

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        warn_renamed(f"{type(self).__name__}.{old}", f"{type(self).__name__}.{new}")
        return getattr(self, new)(*args, **kwargs)

    call.__doc__ = f"Call `{new}`, under its name of version 0.2."
    return call


def find_method(part: Any, new: str, old: str) -> Callable[..., Any] | None:
    """Return a method of an object that may have it under its old name, with a warning; or None."""
    if not hasattr(part, new) and hasattr(part, old):
        warn_renamed(f"{type(part).__name__}.{old}", f"{type(part).__name__}.{new}")
        new = old
    found: Callable[..., Any] | None = getattr(part, new, None)
    return found


def warn_renamed(old: str, new: str) -> None:
    """Warn that a name of version 0.1 was used, at the line of the caller's own code.

    Python shows a `DeprecationWarning` only of such a line; `gym.make` and others stand between.
    """
    frame = sys._getframe(1)
    while _is_between(frame) and frame.f_back is not None:
        frame = frame.f_back
    warnings.warn_explicit(
        f"{old} is now called {new}; the old name will be removed in version 0.3",
        DeprecationWarning,
        frame.f_code.co_filename,
        frame.f_lineno,
        frame.f_globals.get("__name__"),
        frame.f_globals.setdefault("__warningregistry__", {}),
    )


_BETWEEN = {__name__.partition(".")[0], "abc", "importlib", "gymnasium", "stable_baselines3"}
"""Packages that pass arguments and names on."""


def _is_between(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).partition(".")[0] in _BETWEEN
