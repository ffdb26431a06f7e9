"""Pages of the interface: the public names of a package, by autodoc."""

from __future__ import annotations

import inspect
import sys
from functools import cache
from importlib import import_module
from typing import Any

import gymnasium as gym

from dynamaze.common.registration import ENVIRONMENTS

OPTIONS = {"class": "   :members:\n   :show-inheritance:\n", "data": "   :no-value:\n"}


def page(package: str) -> str:
    """Return the directives of a package's public names, classes first."""
    names = import_module(package).__all__
    blocks = [_directive(f"{package}.{name}", name, package) for name in names]
    return "\n".join(block for _, block in sorted(blocks))


def _directive(path: str, name: str, package: str) -> tuple[int, str]:
    part = getattr(import_module(package), name)
    kind = "class" if isinstance(part, type) else "function" if inspect.isroutine(part) else "data"
    order = ("class", "function", "data").index(kind)
    return order, f"```{{eval-rst}}\n.. auto{kind}:: {path}\n{OPTIONS.get(kind, '')}```\n"


@cache
def _env_classes() -> dict[type, str]:
    """Return the classes of the registered ids, each with its first id."""
    classes: dict[type, str] = {}
    for env_id in ENVIRONMENTS:
        classes.setdefault(type(gym.make(env_id).unwrapped), env_id)
    return classes


def page_note(part: Any) -> str:
    """Return a sentence about the page of an environment's class, "" for other objects."""
    env_id = _env_classes().get(part) if isinstance(part, type) else None
    return (
        f"Spaces, arguments and examples: :doc:`{env_id} </environments/{env_id}>`."
        if env_id
        else ""
    )


def data_docstring(path: str) -> list[str]:
    """Return the lines below the assignment of a constant, from the module that assigns it."""
    from sphinx.pycode import ModuleAnalyzer

    package, _, name = path.rpartition(".")
    part = getattr(import_module(package), name)
    for module, found in sorted(sys.modules.items()):
        if module.startswith("dynamaze.") and vars(found).get(name) is part:
            documented = ModuleAnalyzer.for_module(module).find_attr_docs()
            if ("", name) in documented:
                return list(documented["", name])
    return []
