"""Checkpoints of a distiller."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from typing import Any

from dynamaze.common.storage import CheckpointError, read_checkpoint, write_checkpoint
from dynamaze.common.validation import checked_integer

from ..core.old_names import current_config
from .hidden_state import HiddenState
from .loop import Loop
from .method import Method
from .state import pack_state, unpack_state


class StoredLoop(Loop):
    """What a checkpoint stores of a `Distiller`."""

    method: Method
    fingerprint: str | None  # of the teacher
    hidden: HiddenState


def save(loop: StoredLoop, path: str | os.PathLike[str], callbacks: Sequence[Any]) -> None:
    """Write a checkpoint; see `Distiller.save`."""
    arrays, document = pack_state(_state(loop, callbacks))
    write_checkpoint(path, arrays, {"kind": "distiller", "state": document})


def resume(loop: StoredLoop, path: str | os.PathLike[str], callbacks: Sequence[Any]) -> None:
    """Restore a checkpoint; see `Distiller.resume`."""
    arrays, document = read_checkpoint(path)
    if document.get("kind") != "distiller":
        raise CheckpointError(f"{path} holds {document.get('kind')!r}; expected a distiller")
    try:
        state = unpack_state(arrays, document["state"])
        _check(loop, state, callbacks, path)
        before = copy.deepcopy(_state(loop, callbacks))
        try:
            _restore(loop, state, callbacks)
        except BaseException:
            _restore(loop, before, callbacks)
            raise
    except CheckpointError:
        raise
    except Exception as error:  # a forged state raises many types of errors
        raise CheckpointError(f"{path} holds no state of this distiller: {error!r}") from None


def _state(loop: StoredLoop, callbacks: Sequence[Any]) -> dict[str, Any]:
    given = (*loop.sources.values(), *callbacks)
    parts = {name: part.get_state() for name, part in loop.parts.items()}
    return {
        "step": loop.step,
        "total_steps": loop.total_steps,
        "rng": loop.rng.bit_generator.state,
        "students": {name: parts.pop(name) for name in loop.students},
        "parts": parts,
        "method": {**_method(loop), "state": _state_of(loop.method)},
        "teacher": loop.fingerprint,
        "others": [_state_of(each) for each in given],
        "names": _class_names(given),
        "hidden": loop.hidden.get_state(_numbered(callbacks)),
    }


def _check(loop: StoredLoop, state: Any, callbacks: Sequence[Any], path: Any) -> None:
    """Check that a state is of the same students, method, teacher, sources and callbacks."""
    parts = state["students"]
    found = {name: current_config(part["config"]) for name, part in parts.items()}
    expected = {name: loop.parts[name].kind() for name in loop.students}
    if found != expected or state["total_steps"] != loop.total_steps:
        raise CheckpointError(
            f"{path} is of students {found} and {state['total_steps']} steps; expected "
            f"{expected} and {loop.total_steps}"
        )
    checked_integer("step", state["step"], 0, loop.total_steps)
    _check_method(loop, state, path)
    others = state.get("parts", {})
    added = [name for name in loop.parts if name not in loop.students]
    if list(others) != added:
        raise CheckpointError(f"{path} has the parts {list(others)}; expected {added}")
    for name, part in {**parts, **others}.items():
        loop.parts[name].check_state(part)
    _check_others(loop, state, callbacks, path)
    loop.hidden.check(state.get("hidden", {}), _numbered(callbacks), path)


def _check_method(loop: StoredLoop, state: Any, path: Any) -> None:
    """Check the method and the teacher; those of versions before 0.3 are not known."""
    method = state.get("method")
    given = {"name": "Soft", "config": {"temperature": 1.0}} if method is None else method
    given = {name: given[name] for name in ("name", "config")}
    if given != _method(loop):
        raise CheckpointError(f"{path} is of the method {given}; expected {_method(loop)}")
    if method is not None:
        _check_has_state(loop.method, method["state"], path)
    teacher = state.get("teacher")
    if teacher is not None and teacher != loop.fingerprint:
        raise CheckpointError(
            f"{path} is of the teacher {teacher}; expected {loop.fingerprint}, as here"
        )


def _check_others(loop: StoredLoop, state: Any, callbacks: Sequence[Any], path: Any) -> None:
    """Check that the stored states are those of sources and callbacks like the given ones."""
    others, names = state["others"], state.get("names")
    given = (*loop.sources.values(), *callbacks)
    if len(others) != len(given):
        raise CheckpointError(
            f"{path} holds the states of {len(others) - len(loop.sources)} callbacks; expected "
            f"{len(callbacks)}, those of `callbacks`"
        )
    for each, stored in zip(given, others, strict=True):
        _check_has_state(each, stored, path)
    if names not in (None, found := _class_names(given)):
        raise CheckpointError(
            f"{path} holds the states of {names}, the source and the callbacks; expected "
            f"{found}, in this order"
        )


def _check_has_state(each: Any, stored: Any, path: Any) -> None:
    if (stored is None) == hasattr(each, "set_state"):
        raise CheckpointError(
            f"{path} holds {'no' if stored is None else 'a'} state in the place of "
            f"{type(each).__name__}; expected the same source and callbacks"
        )


def _restore(loop: StoredLoop, state: Any, callbacks: Sequence[Any]) -> None:
    """Set everything to a state of `_state`; those of version 0.1 have nothing hidden."""
    for name, part in {**state["students"], **state.get("parts", {})}.items():
        loop.parts[name].set_state(part)
    loop.rng.bit_generator.state = state["rng"]
    loop.step = state["step"]
    loop.hidden.set_state(state.get("hidden", {}), _numbered(callbacks))
    method = (loop.method, state.get("method", {}).get("state"))
    others = zip((*loop.sources.values(), *callbacks), state["others"], strict=True)
    for each, stored in (*others, method):
        if stored is not None:
            each.set_state(stored)


def _state_of(each: Any) -> Any:
    return each.get_state() if hasattr(each, "get_state") else None


def _method(loop: StoredLoop) -> dict[str, Any]:
    return {"name": type(loop.method).__qualname__, "config": loop.method.config}


def _class_names(parts: Sequence[Any]) -> list[str]:
    return [type(part).__qualname__ for part in parts]


def _numbered(callbacks: Sequence[Any]) -> Mapping[str, Any]:
    return {f"callbacks[{number}]": each for number, each in enumerate(callbacks)}
