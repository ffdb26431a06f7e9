"""Registry of distillation methods: name -> class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dynamaze.common.registry import Registry

from .base import Method

METHODS: Registry[Callable[..., Method]] = Registry(
    "method",
    {
        "soft": ".soft:Soft",
        "ppo": ".reinforced:PPO",
        "kickstarting": ".guided:Kickstarting",
        "proximal": ".guided:Proximal",
        "privileged": ".guided:Privileged",
        "distral": ".distral:Distral",
        "dual_policy": ".dual_policy:DualPolicy",
        "joint": ".joint:Joint",
    },
    __package__,
)
"""Name -> class of the method; each docstring names its paper."""


def make_method(method: str | Method, **config: Any) -> Method:
    """Return a method by its name and settings; a method is returned unchanged.

    Raises:
        ValueError: for an unknown name, listing the known ones.
        TypeError: for unknown settings, or settings of a method that is made already.
    """
    if isinstance(method, Method):
        if config:
            raise TypeError(f"settings {sorted(config)} of a method that is made already")
        return method
    made = METHODS.find(method)
    try:
        return made(**config)
    except TypeError as error:
        raise TypeError(f"method {method!r}: {error}") from None
