"""State that training depends on and that nobody hands over: inside losses, sources and callbacks.

A loss may hold a fixed network, a source or an augmentation a random generator of its own. They are
found by a walk over attributes, containers, closures, defaults, partial functions and the globals
that a function names, and become part of the checkpoint:

1. random generators of NumPy, torch and Python,
2. torch modules, with their buffers, except those of a source's teacher, which training only reads,
3. numbers, text and small arrays of a user's objects and closures that have changed in training.

What the walk cannot find (the inside of environments, large or nested data, compiled extensions)
belongs to `get_state` and `set_state` of the source or callback.
"""

from __future__ import annotations

import random  # noqa: TID251  # only recognised, never drawn from
import re
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from dynamaze.common.optional_imports import optional_import
from dynamaze.common.storage import CheckpointError

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import nn  # noqa: E402

MAX_PLACES = 10_000
"""Places after which a walk ends."""

MAX_DEPTH = 8

MAX_ENTRIES = 1000
"""Entries of a container that are looked at."""

MAX_NUMBERS = 100_000
"""Numbers in an array that is compared and stored."""


class Place(NamedTuple):
    """Something that a walk found."""

    path: str  # "loss.projection"
    value: Any
    set: Callable[[Any], None] | None  # replaces the value; None where it cannot be


class Kind(NamedTuple):
    """Reading and writing the state of a kind of object."""

    type: type
    get: Callable[[Any], Any]
    set: Callable[[Any, Any], None]


def _set_numpy(generator: np.random.Generator, state: Any) -> None:
    generator.bit_generator.state = state


def _as_tuple(state: Any) -> Any:
    return tuple(_as_tuple(each) for each in state) if isinstance(state, list) else state


GENERATORS = (
    Kind(np.random.Generator, lambda rng: rng.bit_generator.state, _set_numpy),
    Kind(
        np.random.RandomState,
        lambda rng: rng.get_state(legacy=False),
        lambda rng, state: rng.set_state(state),
    ),
    Kind(
        torch.Generator,
        lambda rng: rng.get_state(),
        lambda rng, state: rng.set_state(torch.from_numpy(np.array(state))),
    ),
    Kind(
        random.Random,
        lambda rng: rng.getstate(),
        lambda rng, state: rng.setstate(_as_tuple(state)),
    ),
)

MODULES = Kind(
    nn.Module,
    lambda module: module.state_dict(),
    lambda module, state: module.load_state_dict(
        {name: torch.from_numpy(np.array(array)) for name, array in state.items()}
    ),
)


class HiddenState:
    """The state that is found in some objects, compared with that at construction.

    Args:
        parts: networks whose weights are stored already.
        roots: name -> object: the loss, the method and the sources.
        teacher: the teacher's network, which is not stored.

    Raises:
        TypeError: for a loss or a method with weights that require gradients and are no part's,
            which nothing would train.
    """

    def __init__(
        self,
        parts: Mapping[str, nn.Module],
        roots: Mapping[str, Any],
        teacher: nn.Module | None = None,
    ) -> None:
        self.parts, self.roots = dict(parts), dict(roots)
        networks = [*parts.values(), *([] if teacher is None else [teacher])]
        self._known = {id(module) for network in networks for module in network.modules()}
        self._own = {id(weight) for network in networks for weight in network.parameters()}
        places = list(self._places({}))
        self._check_trainable(places)
        self._before = {place.path: copied(place.value) for place in places if _is_plain(place)}

    def get_state(self, callbacks: Mapping[str, Any]) -> dict[str, Any]:
        """Return the state by path.

        Args:
            callbacks: further roots, by name.

        Raises:
            TypeError: for a Python iterator, whose position cannot be stored.
        """
        found: dict[str, Any] = {}
        for place, kind in self._kinds(callbacks):
            if kind is not None:
                found[place.path] = kind.get(place.value)
            elif _is_lost(place):
                raise TypeError(
                    f"{place.path} is a {type(place.value).__name__}, whose position cannot be "
                    "stored in a checkpoint; expected a source with get_state and set_state"
                )
            elif self._has_changed(place):
                found[place.path] = copied(place.value)
        return found

    def check(self, state: Mapping[str, Any], callbacks: Mapping[str, Any], path: object) -> None:
        """Check that a state can be restored here.

        Args:
            state: a result of `get_state`.
            callbacks: as for `get_state`.
            path: its file, for messages.

        Raises:
            dynamaze.common.storage.CheckpointError: if something of it does not exist here, or has
                another form.
        """
        here = {place.path: (place, kind) for place, kind in self._kinds(callbacks)}
        for name, stored in state.items():
            if name not in here:
                raise CheckpointError(
                    f"{path} holds the state of {name}, which does not exist here"
                )
            place, kind = here[name]
            if (kind is None and place.set is None) or (
                kind is not None and _form(kind.get(place.value)) != _form(stored)
            ):
                raise CheckpointError(
                    f"{path} holds a state of {name} that does not fit the "
                    f"{type(place.value).__name__} here"
                )

    def set_state(self, state: Mapping[str, Any], callbacks: Mapping[str, Any]) -> None:
        """Restore what `get_state` returned and `check` accepted."""
        for place, kind in list(self._kinds(callbacks)):
            if place.path not in state:
                continue
            if kind is not None:
                kind.set(place.value, state[place.path])
            elif place.set is not None:
                place.set(_like(state[place.path], place.value))

    def _has_changed(self, place: Place) -> bool:
        before = self._before.get(place.path, self)  # itself: no value
        return before is not self and _is_plain(place) and not equal(place.value, before)

    def _kinds(self, callbacks: Mapping[str, Any]) -> Iterator[tuple[Place, Kind | None]]:
        """Generate all places, with how their state is stored: None for no generator or module."""
        stored = set(self._known)  # modules, and those inside them
        for place in self._places(callbacks):
            kinds = [kind for kind in GENERATORS if isinstance(place.value, kind.type)]
            if isinstance(place.value, nn.Module) and id(place.value) not in stored:
                stored |= {id(module) for module in place.value.modules()}
                kinds += [] if _is_of_teacher(place.path) else [MODULES]
            yield place, kinds[0] if kinds else None

    def _places(self, callbacks: Mapping[str, Any]) -> Iterator[Place]:
        seen: set[int] = set()
        for name, root in {**self.roots, **callbacks}.items():
            yield from walk(name, root, seen)
        for name, part in self.parts.items():
            yield from walk(f"students[{name!r}]", part, seen, keeps_numbers=True)

    def _check_trainable(self, places: list[Place]) -> None:
        for place in places:
            if not place.path.startswith(("loss", "method")):
                continue
            value = place.value
            weights: list[torch.Tensor] = []
            if isinstance(value, nn.Module):
                weights = list(value.parameters())
            elif isinstance(value, torch.Tensor) and value.is_leaf:
                weights = [value]
            count = sum(w.numel() for w in weights if w.requires_grad and id(w) not in self._own)
            if count:
                raise TypeError(
                    f"{place.path} of type {type(value).__name__} has {count} numbers that require "
                    "gradients and that no optimizer would update; expected requires_grad_(False) "
                    "for a fixed network, a student that contains it, or a method that adds it "
                    "(loop.add)"
                )


def walk(path: str, root: Any, seen: set[int], *, keeps_numbers: bool = False) -> Iterator[Place]:
    """Generate what an object holds, itself first, each object once.

    Args:
        path: its name.
        root: the object.
        seen: identities of objects that were found before; it is added to.
        keeps_numbers: True if numbers inside are stored elsewhere, as those of an object with
            `get_state` and `set_state`; their places cannot be set.
    """
    waiting = deque([(0, keeps_numbers, Place(path, root, None))])
    for _ in range(MAX_PLACES):
        if not waiting:
            return
        depth, keeps, place = waiting.popleft()
        value = place.value
        if not _is_simple(value):
            if id(value) in seen or _is_closed(value):
                continue
            seen.add(id(value))
        yield place._replace(set=None) if keeps else place
        if depth < MAX_DEPTH:
            keeps = keeps or (hasattr(value, "get_state") and hasattr(value, "set_state"))
            for inner in _inside(place.path, value):
                # Our sources store their own numbers, not those of a user's functions in them.
                is_users = _is_library(type(value).__module__) and _is_users_function(inner.value)
                waiting.append((depth + 1, keeps and not is_users, inner))


def _inside(path: str, value: Any) -> Iterator[Place]:
    """Generate what an object refers to."""
    if isinstance(value, partial):
        yield Place(f"{path}.func", value.func, None)
        yield Place(f"{path}.args", value.args, None)
        yield Place(f"{path}.keywords", value.keywords, None)
    elif isinstance(value, MethodType):
        yield Place(f"{path}.__self__", value.__self__, None)
        yield Place(f"{path}.__func__", value.__func__, None)
    elif isinstance(value, FunctionType):
        yield from _inside_function(path, value)
    elif isinstance(value, dict):
        for key in list(islice(value, MAX_ENTRIES)):
            yield Place(f"{path}[{key!r}]", value[key], partial(value.__setitem__, key))
    elif isinstance(value, (list, tuple, deque, set, frozenset)):
        for number, each in enumerate(list(islice(value, MAX_ENTRIES))):
            if not _is_simple(each):  # a list of numbers is compared as a whole
                yield Place(f"{path}[{number}]", each, None)
    elif not _is_simple(value):
        hidden = ("_parameters", "_buffers") if isinstance(value, nn.Module) else ()
        for name, each in list(getattr(value, "__dict__", {}).items()):
            if name not in hidden:
                yield Place(f"{path}.{name}", each, partial(setattr, value, name))


def _inside_function(path: str, function: FunctionType) -> Iterator[Place]:
    cells: tuple[CellType, ...] = function.__closure__ or ()
    for name, cell in zip(function.__code__.co_freevars, cells, strict=True):
        try:
            yield Place(
                f"{path}.{name}", cell.cell_contents, partial(setattr, cell, "cell_contents")
            )
        except ValueError:  # an empty cell
            continue
    yield Place(f"{path}.__dict__", function.__dict__, None)
    for number, default in enumerate(function.__defaults__ or ()):
        yield Place(f"{path}.__defaults__[{number}]", default, None)
    for name, default in (function.__kwdefaults__ or {}).items():
        yield Place(f"{path}.{name}", default, None)
    if not function.__module__ or _is_library(function.__module__):
        return
    for name in sorted(_names(function.__code__)):
        value = function.__globals__.get(name)
        is_own = isinstance(value, FunctionType) and value.__module__ == function.__module__
        kinds = tuple(kind.type for kind in (*GENERATORS, MODULES))
        if is_own or isinstance(value, (*kinds, torch.Tensor)):
            yield Place(f"{path}.{name}", value, None)


def _names(code: CodeType) -> set[str]:
    """Return the global names that a function uses, in functions inside it too."""
    inner = (const for const in code.co_consts if isinstance(const, CodeType))
    return set(code.co_names).union(*(_names(each) for each in inner))


def _is_library(module: str) -> bool:
    return module.partition(".")[0] in ("dynamaze", "gymnasium", "numpy", "torch")


def _is_users_function(value: Any) -> bool:
    module = getattr(value, "__module__", None) or type(value).__module__
    return callable(value) and not isinstance(value, nn.Module) and not _is_library(module)


def _is_simple(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, str, bytes, np.generic))


def _is_closed(value: Any) -> bool:
    """Return True for what is not looked into: classes, modules, environments, models of SB3."""
    if isinstance(value, (type, ModuleType, gym.Env, gym.vector.VectorEnv, gym.spaces.Space)):
        return True
    sb3 = sys.modules.get("stable_baselines3.common.base_class")
    return sb3 is not None and isinstance(value, sb3.BaseAlgorithm)


def _is_of_teacher(path: str) -> bool:
    return re.match(r"(source|sources\[.*?\])\.teacher", path) is not None


def _is_lost(place: Place) -> bool:
    """Return True for an iterator over the data of a loss or a source; a file is not one."""
    value = place.value
    is_iterator = hasattr(value, "__next__") and hasattr(value, "__iter__")
    is_data = is_iterator and not hasattr(value, "read")
    return is_data and place.set is not None and place.path.startswith(("loss", "method", "source"))


def _is_plain(place: Place) -> bool:
    """Return True for a value that is stored where it has changed."""
    if place.set is None or _is_of_teacher(place.path):
        return False
    value = place.value
    if isinstance(value, np.ndarray):
        return value.size <= MAX_NUMBERS and not value.dtype.hasobject
    if isinstance(value, torch.Tensor):
        return value.numel() <= MAX_NUMBERS
    if isinstance(value, (list, tuple)):
        return len(value) <= MAX_ENTRIES and all(_is_json(each) for each in value)
    return _is_json(value) or isinstance(value, np.generic)


def _is_json(value: Any) -> bool:
    return value is None or type(value) in (bool, int, float, str)


def copied(value: Any) -> Any:
    """Return a copy of a plain value that its owner does not change."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    return value.copy() if isinstance(value, (np.ndarray, list)) else value


def equal(value: Any, other: Any) -> bool:
    """Return True for equal plain values of one type; NaN equals NaN."""
    if type(value) is not type(other):
        return False
    if isinstance(value, (np.ndarray, torch.Tensor)):
        one, two = (np.asarray(torch.as_tensor(each).detach().cpu()) for each in (value, other))
        return one.shape == two.shape and one.dtype == two.dtype and one.tobytes() == two.tobytes()
    return bool(value == other) or value != value  # noqa: PLR0124  # NaN


def _like(stored: Any, value: Any) -> Any:
    """Return a stored value in the type of the present one: files hold arrays and lists."""
    if isinstance(value, torch.Tensor):
        return torch.from_numpy(np.array(stored)).to(value.device)
    if isinstance(value, np.generic):
        return np.array(stored)[()]
    return tuple(stored) if isinstance(value, tuple) else stored


def _form(state: Any) -> Any:
    """Return what two states of one object share: names of entries, and shapes of arrays."""
    if isinstance(state, Mapping):
        return {name: _form(value) for name, value in state.items()}
    return state if isinstance(state, str) else tuple(getattr(state, "shape", ()))
