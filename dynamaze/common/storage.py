"""Files that are whole or not there, and checkpoints that hold no code.

A checkpoint is a NumPy `.npz` archive, not compressed: arrays, one JSON document, and a SHA-256
over both. Reading one runs nothing (`allow_pickle=False`), believes no declared size that the file
does not have, and gives one typed error for whatever is wrong.
"""

from __future__ import annotations

import glob
import hashlib
import io
import json
import os
import tempfile
import time
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FORMAT = 1
"""The checkpoints' own version; a reader refuses any other."""

STRAY_SECONDS = 60
"""A temporary file older than this was left by a writer that was killed."""

_DOCUMENT, _DIGEST = "__document__", "__sha256__"


class CheckpointError(ValueError):
    """A file that is not a checkpoint this version can read; the message names it and why."""


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file so that a reader finds the old content or the new, never a part.

    The content goes to a temporary file in the same folder, to the disk, and then in one step to
    its name. If anything fails, the old file stays as it was and the temporary one is removed.

    Raises:
        OSError: if the folder cannot be written.
    """
    target = Path(path)
    prefix = f".{target.name}."
    descriptor, temporary = tempfile.mkstemp(prefix=prefix, suffix=".tmp", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    _remove_strays(target.parent, prefix)


def write_checkpoint(
    path: str | os.PathLike[str],
    arrays: Mapping[str, npt.NDArray[Any]],
    document: Mapping[str, Any],
) -> None:
    """Write arrays and a JSON document as a checkpoint, atomically.

    Args:
        path: the file; a missing ".npz" is not added.
        arrays: by name; no objects.
        document: what `json.dumps` takes.

    Raises:
        TypeError: if an array holds objects or the document is not JSON.
        OSError: if the file cannot be written; an older one stays as it was.
    """
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise TypeError(f"array {name!r} holds Python objects; expected numbers or text")
    text = json.dumps({**document, "format": FORMAT}, allow_nan=True).encode()
    buffer = io.BytesIO()
    members = {
        **arrays,
        _DOCUMENT: np.frombuffer(text, dtype=np.uint8),
        _DIGEST: np.frombuffer(_digest(arrays, text), dtype=np.uint8),
    }
    np.savez(buffer, **members)  # type: ignore[arg-type]  # numpy's stub mistakes the names
    write_atomically(path, buffer.getvalue())


def read_checkpoint(
    path: str | os.PathLike[str],
) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """The arrays and the document of a checkpoint.

    Raises:
        CheckpointError: if the file is missing, cut short, damaged, foreign or of another format.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise CheckpointError(f"checkpoint {path} cannot be read: {error.strerror}") from None
    try:
        members = _read_members(content)
        text = members.pop(_DOCUMENT).tobytes()
        digest = members.pop(_DIGEST).tobytes()
        document = json.loads(text)
    except Exception as error:  # a damaged archive fails in many ways, all with this meaning
        raise CheckpointError(
            f"{path} is not a whole checkpoint ({type(error).__name__}: {error}); "
            "it may be cut short or of another kind"
        ) from None
    found = document.get("format") if isinstance(document, dict) else None
    if found != FORMAT:
        raise CheckpointError(f"checkpoint {path} has format {found!r}; expected {FORMAT}")
    if digest != _digest(members, text):
        raise CheckpointError(f"checkpoint {path} is damaged: its SHA-256 does not match")
    return members, document


def _read_members(content: bytes) -> dict[str, npt.NDArray[Any]]:
    members = {}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for entry in archive.infolist():
            # Nothing that we write is compressed, so a small file cannot unfold into a large one.
            if entry.compress_type != zipfile.ZIP_STORED or not entry.filename.endswith(".npy"):
                raise ValueError(f"unexpected member {entry.filename!r}")
            members[entry.filename[: -len(".npy")]] = _read_array(archive.read(entry))
    return members


def _read_array(content: bytes) -> npt.NDArray[Any]:
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    if version != (1, 0):
        raise ValueError(f"unexpected array format {version}")
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    declared = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if dtype.hasobject or declared != len(content) - file.tell():
        raise ValueError(f"an array of {declared} bytes in {len(content) - file.tell()}")
    file.seek(0)
    array: npt.NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return array


def _digest(arrays: Mapping[str, npt.NDArray[Any]], text: bytes) -> bytes:
    digest = hashlib.sha256(text)
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        digest.update(f"{name}{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.digest()


def _remove_strays(folder: Path, prefix: str) -> None:
    """Remove what killed writers of the same file left, but not what one writes now."""
    for path in folder.glob(f"{glob.escape(prefix)}*.tmp"):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > STRAY_SECONDS:
                path.unlink()


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask
