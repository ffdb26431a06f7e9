"""Configuration of an object, taken from the signature of its constructor."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import wraps
from types import FunctionType
from typing import Any

import numpy as np

MAX_NUMBERS, MAX_LENGTH = 8, 160
"""Numbers of an array, and characters of any argument, above which a `repr` shortens it."""


class Configurable:
    """Base class of objects that know the arguments they were made with.

    As in scikit-learn, the constructor's signature is the only list of the parameters. Unlike
    there, the arguments are kept as they were given, so that a constructor may convert them.
    """

    _given: tuple[tuple[Any, ...], dict[str, Any]] | None = None  # the constructor's arguments

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            cls.__init__ = _keeping_arguments(cls.__init__)  # type: ignore[method-assign]  # same signature

    def get_params(self) -> dict[str, Any]:
        """Return the constructor's arguments by name, with the defaults of those not given."""
        if self._given is None:  # a class without a constructor
            return {}
        args, kwargs = self._given
        arguments: dict[str, Any] = type(self).__init__.by_name(*args, **kwargs)  # type: ignore[attr-defined]  # of `_keeping_arguments`
        return arguments

    def __repr__(self) -> str:
        """Return the call of the constructor, without arguments that have their defaults."""
        parameters = inspect.signature(type(self).__init__).parameters
        defaults = {name: parameter.default for name, parameter in parameters.items()}
        return call_repr(type(self).__name__, self.get_params(), defaults)


def fields_repr(record: Any) -> str:
    """Return the call that makes a dataclass, without fields that have their defaults."""
    defaults = {field.name: field.default for field in fields(record)}
    given = {name: getattr(record, name) for name in defaults}
    return call_repr(type(record).__name__, given, defaults)


def call_repr(name: str, arguments: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    """Return the text of a call in one line; long arrays are shortened."""
    given = ", ".join(
        f"{key}={_short(value)}"
        for key, value in arguments.items()
        if key not in defaults or not _is_default(value, defaults[key])
    )
    return f"{name}({given})"


def _short(value: Any) -> str:
    if isinstance(value, (type, FunctionType)):
        return value.__name__
    with np.printoptions(threshold=MAX_NUMBERS, edgeitems=2):
        text = re.sub(r"\s*\n\s*", " ", repr(value))
    return text if len(text) <= MAX_LENGTH else f"{text[: MAX_LENGTH - 3]}..."


def _keeping_arguments(constructor: Callable[..., None]) -> Callable[..., None]:
    signature = inspect.signature(constructor)
    kinds = {parameter.kind: name for name, parameter in signature.parameters.items()}
    extra = kinds.get(inspect.Parameter.VAR_KEYWORD)  # the name of **more, if there is one
    new_arguments: Callable[..., dict[str, Any]] = getattr(constructor, "new_arguments", dict)

    @wraps(constructor)
    def construct(self: Any, *args: Any, **kwargs: Any) -> None:
        constructor(self, *args, **kwargs)
        if type(self).__init__ is construct:  # not called by the constructor of a subclass
            # They are named when they are asked for: it takes as long as making a small object.
            self._given = args, new_arguments(kwargs)

    def by_name(*args: Any, **kwargs: Any) -> dict[str, Any]:
        bound = signature.bind(None, *args, **kwargs)
        bound.apply_defaults()
        arguments = dict(list(bound.arguments.items())[1:])
        return arguments if extra is None else arguments | arguments.pop(extra)

    construct.by_name = by_name  # type: ignore[attr-defined]
    return construct


def _is_default(value: Any, default: Any) -> bool:
    # an array compares to an array
    simple = isinstance(value, (bool, int, float, str, tuple)) or is_dataclass(default)
    return value is default or (simple and bool(value == default))


def flat_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments in which dataclasses are replaced by their fields."""
    flat: dict[str, Any] = {}
    for name, value in arguments.items():
        if is_dataclass(value) and not isinstance(value, type):
            flat |= {field.name: getattr(value, field.name) for field in fields(value)}
        else:
            flat[name] = value
    return flat


def set_checked(settings: Any, **values: Any) -> None:
    """Set fields of a frozen dataclass to their checked values; for its `__post_init__`."""
    for name, value in values.items():
        object.__setattr__(settings, name, value)
