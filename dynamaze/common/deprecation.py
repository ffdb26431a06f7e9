"""Lazy exports of packages, and names of version 0.1 with a `DeprecationWarning`."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from functools import wraps
from importlib import import_module
from types import FrameType
from typing import Any, ParamSpec, TypeVar

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
        modules: public name -> module, relative to the package (`".students.mlp"`).
        renamed: name of version 0.1 -> present name, which is in `modules` or already imported.
    """
    old_names = renamed or {}

    def get(name: str) -> Any:
        if name in old_names:
            new = old_names[name]
            warn_renamed(f"{package}.{name}", f"{package}.{new}")
            return getattr(import_module(package), new)
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(modules[name], package), name)

    return get


def lazy_package(
    package: str, modules: Mapping[str, str]
) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__all__`, `__getattr__` and `__dir__` of a package whose names are all lazy.

    Args:
        package: the package's `__name__`.
        modules: as of `lazy_exports`.
    """
    names = sorted(modules)
    return names, lazy_exports(package, modules), lambda: names


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

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            for old in renamed.keys() & kwargs.keys():
                new = renamed[old]
                if new in kwargs:
                    raise TypeError(f"{old}=... and {new}=... were given; expected {new} alone")
                warn_renamed(f"{old}=", f"{new}=")
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        call.renamed = renamed  # type: ignore[attr-defined]  # read by `Configurable`
        return call

    return decorate


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
