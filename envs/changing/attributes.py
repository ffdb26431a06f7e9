"""Attributes of an environment that changes set, with their values before the first change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.validation import did_you_mean, shown

from .values import like

RESERVED = (
    "action_space",
    "close",
    "metadata",
    "np_random",
    "num_envs",
    "observation_space",
    "render",
    "render_mode",
    "reset",
    "single_action_space",
    "single_observation_space",
    "spec",
    "step",
    "unwrapped",
)
"""Names that cannot change: agents read them once, or Gymnasium uses them."""


class Derived(NamedTuple):
    """Attribute that an environment computes from others in its constructor only."""

    name: str
    sources: tuple[str, ...]
    rule: Callable[[Any], Any]


DERIVED = {
    "gymnasium.envs.classic_control.cartpole": (
        Derived("total_mass", ("masspole", "masscart"), lambda env: env.masspole + env.masscart),
        Derived("polemass_length", ("masspole", "length"), lambda env: env.masspole * env.length),
    ),
}
"""Derived attributes of Gymnasium's environments, by the module of the class."""


class CheckedChange(dict[str, Any]):
    """New values by attribute, checked once for all times at which they are set."""


class Attributes:
    """Attributes of an environment and their values before the first change.

    Args:
        target: the object whose attributes change.
        owner: the class that computes derived attributes, that of the environment.

    Attributes:
        originals: the values before the first change, by attribute.
    """

    def __init__(self, target: Any, owner: type) -> None:
        self._target = target
        self._class = owner.__name__
        self._derived: tuple[Derived, ...] = next(
            (DERIVED[base.__module__] for base in owner.mro() if base.__module__ in DERIVED), ()
        )
        self.originals: dict[str, Any] = {}

    def check(self, change: Any) -> Any:
        """Return a change after checking it; a function is called once to see what it returns.

        Raises:
            ValueError: for an attribute that does not exist or is read-only, or a value of another
                shape; TypeError for a value of another type, or anything but a change.
        """
        values = self._read(change)
        return change if callable(change) else values

    def apply(self, change: Any) -> tuple[str, ...]:
        """Set the attributes of a change and return their names.

        Raises:
            ValueError, TypeError: as `check`; nothing is set then.
        """
        values = change if isinstance(change, CheckedChange) else self._read(change)
        derived = [
            each
            for each in self._derived
            if each.name not in values and not values.keys().isdisjoint(each.sources)
        ]
        names = (*values, *(each.name for each in derived))
        for name in names:
            if name not in self.originals:
                value = self._get(name)
                self.originals[name] = value.copy() if isinstance(value, np.ndarray) else value
        for name, value in values.items():
            self._set(name, value)
        for each in derived:
            self._set(each.name, each.rule(self._target))
        return names

    def undo(self) -> None:
        """Set all attributes to their values before the first change."""
        for name, value in self.originals.items():
            self._set(name, value)

    def tables(self, changes: Iterator[Any]) -> Iterator[Any]:
        """Generate the mappings that changes set or have replaced, which nothing modifies."""
        for values in (self.originals, *changes):
            if isinstance(values, Mapping):
                yield from (value for value in values.values() if isinstance(value, Mapping))

    def _read(self, change: Any) -> CheckedChange:
        values = change(self._target) if callable(change) else change
        if not isinstance(values, Mapping) or not values:
            raise TypeError(
                f"the change {shown(values)}; expected a mapping of attributes and values, or a "
                "function of the environment that returns one"
            )
        return CheckedChange({name: self._checked(name, own) for name, own in values.items()})

    def _checked(self, name: Any, value: Any) -> Any:
        if not isinstance(name, str):
            raise TypeError(f"the attribute {shown(name)}; expected a name")
        if name in RESERVED:
            raise ValueError(f"the attribute {name!r} of {self._class}, which must not change")
        try:
            present = self._get(name)
        except AttributeError:
            known = [each for each in dir(self._target) if not each.startswith("_")]
            raise ValueError(
                f"the attribute {shown(name)}, which {self._class} does not have; expected one of "
                f"its attributes{did_you_mean(name, known)}"
            ) from None
        self._check_writable(name, present)
        return like(name, value, self.originals.get(name, present))

    def _check_writable(self, name: str, present: Any) -> None:
        """Set an attribute to its present value, to see whether it can be set."""
        owner, last = self._owner(name)
        try:
            # Not by looking into `__dict__`: CPython reads attributes more slowly from then on.
            setattr(owner, last, present)
        except (AttributeError, TypeError):
            raise ValueError(
                f"the attribute {name!r} of {self._class}, which is read-only; expected one that "
                "can be set"
            ) from None

    def _owner(self, name: str) -> tuple[Any, str]:
        """Return the object that has an attribute, and the attribute's own name.

        A dotted name is an attribute of an attribute.
        """
        *path, last = name.split(".")
        owner = self._target
        for part in path:
            owner = getattr(owner, part)
        return owner, last

    def _get(self, name: str) -> Any:
        owner, last = self._owner(name)
        return getattr(owner, last)

    def _set(self, name: str, value: Any) -> None:
        owner, last = self._owner(name)
        # The environment may write into its own array.
        setattr(owner, last, value.copy() if isinstance(value, np.ndarray) else value)
