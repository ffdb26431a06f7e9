"""Descriptions of values: JSON that is equal in every process, for equal values alone."""

from __future__ import annotations

import copyreg
import hashlib
import json
import math
import os
import types
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.envs.registration import EnvSpec

from dynamaze.common.configuration import Configurable
from dynamaze.common.origin import qualified_name

RUN_OPTIONS = (
    "output",
    "plot_only",
    "runs",
    "workers",
    "store",
    "run_limit",
    "retry_failed",
    "dry_run",
    "cache_dir",
)
"""Options of experiments that change no run's result."""


def describe_configuration(config: Any, arguments: Sequence[Any] = ()) -> str:
    """Return canonical JSON of the options that determine a run, and of its setting's arguments.

    Args:
        config: a dataclass of options; those of `RUN_OPTIONS`, and those that its `swept` names,
            are left out.
        arguments: of the setting.

    Raises:
        TypeError: for a value that cannot be described.
    """
    options = _describe_fields(config, {*RUN_OPTIONS, *getattr(config, "swept", ())})
    return canonical_json({"options": options, "arguments": describe(arguments)})


def describe_options(config: Any) -> str:
    """Return canonical JSON of all options that a sweep's table depends on, for its report.

    An input file has its path, too.

    Raises:
        TypeError: for a value that cannot be described.
    """
    options = _describe_fields(config, {*RUN_OPTIONS} - {"runs"})
    for name in options:
        value = getattr(config, name)
        if isinstance(value, os.PathLike):
            options[name]["path"] = os.fspath(value)
    return canonical_json(options)


def _describe_fields(config: Any, ignored: Set[str]) -> dict[str, Any]:
    names = (field.name for field in fields(config))
    return {name: describe(getattr(config, name)) for name in names if name not in ignored}


def canonical_json(value: Any) -> str:
    """Return the JSON text of described values: equal for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def describe(value: Any) -> Any:
    """Return a value as JSON that is the same in every process.

    Numbers and text stand for themselves; sequences are lists; arrays, bytes and files count by
    their digest; functions and classes by their name; other objects by their class and the state
    that a copy of them would have.

    Raises:
        TypeError: for an object without such a state, such as a lock or an open file.
    """
    return _describe(value, ())


def _describe(value: Any, parents: tuple[int, ...]) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return _plain(value)
    if isinstance(value, (int, float)) and not isinstance(value, Enum):
        return _describe_number(value)
    if id(value) in parents:
        return {"cycle": len(parents) - parents.index(id(value))}
    own = (*parents, id(value))
    for kinds, rule in _RULES:
        if isinstance(value, kinds):
            return rule(value, own)
    if is_dataclass(value):
        return _describe_dataclass(value, own)
    return _describe_object(value, own)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, str) else value


def _describe_number(value: float) -> Any:
    if isinstance(value, int):
        return int(value)
    return float(value) if math.isfinite(value) else {"float": repr(float(value))}


def _describe_generic(value: np.generic, own: tuple[int, ...]) -> Any:
    item = value.item()
    return _describe_array(np.asarray(value), own) if item is value else _describe(item, own)


def _describe_array(value: np.ndarray[Any, Any], own: tuple[int, ...]) -> Any:
    if value.dtype.hasobject:
        return {"array": "object", "items": _describe(value.tolist(), own)}
    content = np.ascontiguousarray(value).tobytes()
    return {"array": value.dtype.str, "shape": list(value.shape), "sha256": sha256(content)}


def _describe_path(value: os.PathLike[str], own: tuple[int, ...]) -> Any:
    text = os.fspath(value)
    path, name = Path(text), ""
    if not path.exists() and ":" in text:  # `path/file.py:name` or `module:name`
        place, _, name = text.rpartition(":")
        path = Path(place if place.endswith(".py") else place.replace(".", "/") + ".py")
    if not path.is_file():
        return {"path": text}
    # A teacher, a layout: its content determines the result, wherever it lies.
    with path.open("rb") as file:
        described = {"file": hashlib.file_digest(file, "sha256").hexdigest()}
    return {**described, "name": name} if name else described


def _describe_sequence(value: Sequence[Any], own: tuple[int, ...]) -> Any:
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        items = dict(zip(value._fields, value, strict=True))
        return {"type": qualified_name(type(value)), "fields": _describe_mapping(items, own)}
    return [_describe(item, own) for item in value]


def _describe_set(value: Set[Any], own: tuple[int, ...]) -> Any:
    return {"set": sorted((_describe(item, own) for item in value), key=canonical_json)}


def _describe_mapping(value: Mapping[Any, Any], own: tuple[int, ...]) -> Any:
    if all(isinstance(key, str) for key in value):
        return {str(key): _describe(item, own) for key, item in value.items()}
    pairs = [[_describe(key, own), _describe(item, own)] for key, item in value.items()]
    return {"mapping": sorted(pairs, key=canonical_json)}


def _describe_dataclass(value: Any, own: tuple[int, ...]) -> Any:
    # A field that is neither given nor compared is a cache.
    items = {
        field.name: getattr(value, field.name)
        for field in fields(value)
        if field.init or field.compare
    }
    return {"type": qualified_name(type(value)), "fields": _describe_mapping(items, own)}


def _describe_partial(value: partial[Any], own: tuple[int, ...]) -> Any:
    return {
        "partial": _describe(value.func, own),
        "arguments": _describe(value.args, own),
        "keywords": _describe_mapping(value.keywords, own),
    }


def _describe_spec(value: EnvSpec, own: tuple[int, ...]) -> Any:
    parts = {
        "kwargs": value.kwargs,
        "max_episode_steps": value.max_episode_steps,
        "entry_point": value.entry_point,
        "wrappers": [(each.name, each.kwargs) for each in value.additional_wrappers],
    }
    return {"environment": value.id, **_describe_mapping(parts, own)}


def _describe_object(value: Any, own: tuple[int, ...]) -> Any:
    described: dict[str, Any] = {"type": qualified_name(type(value))}
    if hasattr(value, "py_func"):  # compiled by Numba
        return _describe(value.py_func, own)
    if hasattr(value, "detach") and hasattr(value, "numpy"):  # a tensor of torch
        return {**described, **_describe_array(value.detach().cpu().numpy(), own)}
    if isinstance(value, Configurable) and hasattr(value, "get_state"):
        described["arguments"] = _describe_mapping(value.get_params(), own)
        described["state"] = _describe(value.get_state(), own)
        return described
    try:
        special = copyreg.dispatch_table.get(type(value))
        reduced = special(value) if special is not None else value.__reduce_ex__(4)
    except Exception as error:
        raise TypeError(
            f"an object of {qualified_name(type(value))} has no description that is equal in every "
            f"process ({error}); pass numbers, text, functions, dataclasses or objects that can be "
            "copied"
        ) from None
    if isinstance(reduced, str):  # a global object
        return {"object": f"{getattr(value, '__module__', None)}:{reduced}"}
    make, arguments, *rest = reduced
    if make is not copyreg.__newobj__:  # type: ignore[attr-defined]  # not in the stub
        described["made"] = _describe(make, own)
    described["arguments"] = [_describe(each, own) for each in arguments if each is not type(value)]
    state, items, pairs = (*rest, None, None, None)[:3]
    if state is not None:
        described["state"] = _describe(state, own)
    for key, more in (("items", items), ("pairs", pairs)):
        if more is not None:
            described[key] = _describe(list(more), own)
    return described


def _describe_named(value: Any, own: tuple[int, ...]) -> Any:
    return {"class" if isinstance(value, type) else "function": qualified_name(value)}


def _describe_method(value: Any, own: tuple[int, ...]) -> Any:
    owner = getattr(value, "__self__", None)
    if owner is None or isinstance(owner, types.ModuleType):
        return _describe_named(value, own)
    return {"method": value.__name__, "of": _describe(owner, own)}


_RULES: tuple[tuple[Any, Callable[[Any, tuple[int, ...]], Any]], ...] = (
    (type, _describe_named),
    (Enum, lambda value, own: {"enum": f"{qualified_name(type(value))}.{value.name}"}),
    (np.generic, _describe_generic),
    (np.ndarray, _describe_array),
    ((bytes, bytearray), lambda value, own: {"bytes": sha256(bytes(value))}),
    (os.PathLike, _describe_path),
    ((tuple, list), _describe_sequence),
    ((set, frozenset), _describe_set),
    ((dict, types.MappingProxyType), _describe_mapping),
    (partial, _describe_partial),
    (EnvSpec, _describe_spec),
    (types.FunctionType, _describe_named),
    ((types.MethodType, types.BuiltinFunctionType, types.MethodWrapperType), _describe_method),
    (types.ModuleType, lambda value, own: {"module": value.__name__}),
)


def sha256(content: bytes) -> str:
    """Return the digest of bytes as hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
