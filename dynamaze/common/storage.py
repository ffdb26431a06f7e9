"""Atomic file writes, and checkpoints without pickles.

A checkpoint is an uncompressed NumPy `.npz` archive: arrays, one JSON document, and a SHA-256 over
both. Reading executes no code (`allow_pickle=False`), checks declared sizes against the size of the
file, and raises one error type for every defect.
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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from dynamaze.common.arrays import AnyArray

FORMAT = 1
"""Version of the checkpoint format; readers refuse any other."""

STRAY_SECONDS = 60
"""Age in seconds above which a temporary file is regarded as left by a killed writer."""

_DOCUMENT, _DIGEST = "__document__", "__sha256__"


class CheckpointError(ValueError):
    """File that is not a readable checkpoint; the message names the file and the reason."""


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file atomically: readers find the old content or the new, never a part.

    Raises:
        OSError: if the folder cannot be written.
    """
    with open_atomically(path) as file:
        file.write(content)


@contextmanager
def open_atomically(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file for writing, which takes the place of an older one when it is complete.

    The content is written to a temporary file in the same folder, flushed to the disk, and renamed
    in one step. On any failure the old file is left unchanged and the temporary one is removed.

    Raises:
        OSError: if the folder cannot be written.
    """
    target = Path(path)
    prefix = f".{target.name}."
    descriptor, temporary = tempfile.mkstemp(prefix=prefix, suffix=".tmp", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # content before name: a crash must not leave an empty file
        os.chmod(temporary, default_mode())  # mkstemp allows the owner alone
        os.replace(temporary, target)  # atomic within one file system, hence the same folder
    except BaseException as error:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.filename is None:  # of a full disk
            error.filename = os.fspath(target)
        raise
    _remove_strays(target.parent, prefix)


def write_checkpoint(
    path: str | os.PathLike[str],
    arrays: Mapping[str, AnyArray],
    document: Mapping[str, Any],
) -> None:
    """Write arrays and a JSON document as a checkpoint, atomically.

    Args:
        path: the file; a missing ".npz" is not added.
        arrays: arrays by name, without object dtypes.
        document: serialisable by `json.dumps`.

    Raises:
        TypeError: if an array holds objects or the document is not JSON.
        OSError: if the file cannot be written; an older file is left unchanged.
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
) -> tuple[dict[str, AnyArray], dict[str, Any]]:
    """Return the arrays and the document of a checkpoint.

    Raises:
        CheckpointError: if the file is missing, truncated, damaged, of another kind or of another
            format version.
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
    except Exception as error:  # damaged archives raise many types of errors
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


def _read_members(content: bytes) -> dict[str, AnyArray]:
    """Read all members of an archive, by name."""
    members = {}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for entry in archive.infolist():
            # Our archives are uncompressed, so a small file cannot expand into a large one.
            if entry.compress_type != zipfile.ZIP_STORED or not entry.filename.endswith(".npy"):
                raise ValueError(f"unexpected member {entry.filename!r}")
            members[entry.filename[: -len(".npy")]] = _read_array(archive.read(entry))
    return members


def _read_array(content: bytes) -> AnyArray:
    """Read one `.npy` member, after checking its declared size."""
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    if version != (1, 0):
        raise ValueError(f"unexpected array format {version}")
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    # Python integers: a hostile header must not overflow. Nothing is allocated before the check.
    declared = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if dtype.hasobject or declared != len(content) - file.tell():
        raise ValueError(f"an array of {declared} bytes in {len(content) - file.tell()}")
    file.seek(0)
    array: AnyArray = np.lib.format.read_array(file, allow_pickle=False)
    return array


def _digest(arrays: Mapping[str, AnyArray], text: bytes) -> bytes:
    """Return the SHA-256 over the document and the arrays in the order of their names."""
    digest = hashlib.sha256(text)
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        # Name, dtype and shape too: the same bytes may not be read as another array.
        digest.update(f"{name}{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.digest()


def _remove_strays(folder: Path, prefix: str) -> None:
    """Remove temporary files of killed writers of the same file, but not those in use."""
    for path in folder.glob(f"{glob.escape(prefix)}*.tmp"):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > STRAY_SECONDS:
                path.unlink()


def default_mode() -> int:
    """Return the permissions of a new file of this process."""
    umask = os.umask(0)  # can only be read by setting it
    os.umask(umask)
    return 0o666 & ~umask
