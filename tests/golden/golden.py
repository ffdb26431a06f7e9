"""Records of computed values: made by `exact`, `close` and `combine`, compared by `compare`."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

FOLDER = Path(__file__).resolve().parent
DATA = FOLDER / "data"
GROUPS = tuple(sorted(path.stem.removeprefix("cases_") for path in FOLDER.glob("cases_*.py")))
LARGEST = 24  # numbers that `close` stores
DIGITS = 12

Record = dict[str, Any]


class MissingError(Exception):
    """A library or program that a case needs is not installed."""


def needs(*modules: str) -> None:
    """Raise MissingError unless these libraries are installed; the case is then skipped."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise MissingError(f"needs the library {module}, which is not installed")


def needs_c_compiler() -> str:
    """Return the path of a C compiler; raise MissingError where there is none."""
    for name in (os.environ.get("CC"), "cc", "gcc", "clang"):
        if name and (path := shutil.which(name)):
            return path
    raise MissingError("needs a C compiler, and found none of cc, gcc, clang")


def exact(*values: object) -> Record:
    """Record values that must stay bit-identical, as one SHA-256 of them all.

    Args:
        values: Arrays, numbers, strings, bytes, None, or lists, tuples and dictionaries of them.
            Dtype, shape and order enter the digest; of dictionaries the values alone, in an order
            that does not depend on their keys.
    """
    digest = hashlib.sha256()
    for value in values:
        _feed(digest, value)
    return {"exact": digest.hexdigest()}


def close(array: object, *, rtol: float = 1e-6, atol: float = 1e-8) -> Record:
    """Record at most LARGEST numbers, which may differ by `atol + rtol * abs(stored)` each."""
    values = np.asarray(array, dtype=np.float64)
    if values.size > LARGEST:
        raise ValueError(f"close: {values.size} numbers, expected at most {LARGEST}: use summary()")
    numbers = [float(f"{value:.{DIGITS - 1}e}") for value in values.ravel().tolist()]
    return {"close": numbers, "shape": list(values.shape), "rtol": rtol, "atol": atol}


def summary(array: object, entries: int = 8) -> np.ndarray:
    """Return [size, mean, std, min, max] and evenly spaced entries of an array, for `close`."""
    flat = np.asarray(array, dtype=np.float64).ravel()
    if flat.size == 0:
        return np.zeros(1)
    chosen = np.linspace(0, flat.size - 1, min(entries, flat.size)).round().astype(int)
    measures = [flat.size, flat.mean(), flat.std(), flat.min(), flat.max()]
    return np.concatenate([measures, flat[chosen]])


def combine(**parts: Record) -> Record:
    """Record several records, each under a neutral word of its own."""
    return {"parts": parts}


def compare(stored: Record, found: Record) -> str | None:
    """Return how two records differ, or None if they agree within the stored tolerances."""
    if set(stored) != set(found):
        return f"stored a record of {sorted(stored)}, found one of {sorted(found)}"
    if "parts" in stored:
        return _compare_parts(stored["parts"], found["parts"])
    if "exact" in stored:
        if stored["exact"] == found["exact"]:
            return None
        return f"stored the digest {stored['exact'][:12]}, found {found['exact'][:12]}"
    return _compare_numbers(stored, found)


def path_of(group: str) -> Path:
    """Return the file of a group's stored values."""
    return DATA / f"{group}.json"


def load_stored(group: str) -> dict[str, Record]:
    """Return a group's stored values by key; none if the file does not exist yet."""
    path = path_of(group)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def load_cases(group: str) -> ModuleType:
    """Import the module `cases_<group>` of this folder."""
    return importlib.import_module(f"{__package__}.cases_{group}")


def _compare_parts(stored: dict[str, Record], found: dict[str, Record]) -> str | None:
    if stored.keys() != found.keys():
        return f"stored the parts {sorted(stored)}, found {sorted(found)}"
    differences = [
        f"{name}: {difference}"
        for name in stored
        if (difference := compare(stored[name], found[name])) is not None
    ]
    return "; ".join(differences) or None


def _compare_numbers(stored: Record, found: Record) -> str | None:
    for word in ("shape", "rtol", "atol"):
        if stored[word] != found[word]:
            return f"stored the {word} {stored[word]}, found {found[word]}"
    old, new = np.array(stored["close"]), np.array(found["close"])
    near = np.isclose(new, old, rtol=stored["rtol"], atol=stored["atol"], equal_nan=True)
    if near.all():
        return None
    first = int(np.flatnonzero(~near)[0])
    return (
        f"{int((~near).sum())} of {near.size} numbers differ by more than {stored['atol']} + "
        f"{stored['rtol']} * abs(stored), first number {first}: stored {old[first]}, "
        f"found {new[first]}"
    )


def _feed(digest: Any, value: object) -> None:
    if isinstance(value, list | tuple):
        digest.update(f"({len(value)}".encode())
        for part in value:
            _feed(digest, part)
    elif isinstance(value, dict):
        digest.update(f"{{{len(value)}".encode())
        for part in sorted(exact(each)["exact"] for each in value.values()):
            digest.update(part.encode())
    elif value is None:
        digest.update(b"none")
    elif isinstance(value, str | bytes):
        data = value.encode() if isinstance(value, str) else value
        digest.update(f"{type(value).__name__}{len(data)}:".encode() + data)
    else:
        array = np.asarray(value)
        if array.dtype.hasobject:
            if not isinstance(value, np.ndarray):
                raise TypeError(f"exact: expected arrays, numbers, strings or bytes, got {value!r}")
            _feed(digest, value.tolist())
            return
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
