"""Checkpoints without pickles.

A checkpoint is an uncompressed NumPy `.npz` archive: arrays, one JSON document, and a SHA-256 over
both. Reading executes no code (`allow_pickle=False`), checks declared sizes against the size of the
file, and raises one error type for every defect.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

from dynamaze.common.arrays import AnyArray
from dynamaze.common.atomic_files import open_atomically
from dynamaze.common.reading import BoundedReads, check_json_size, open_for_reading, parse_json
from dynamaze.common.validation import PrintableError

FORMAT = 1
"""Version of the checkpoint format; readers refuse any other."""

MOST_BYTES = 2**33
"""Largest size of a checkpoint."""

CHUNK_BYTES = 2**20
"""Bytes that are read at once; also the largest size of an archive's directory."""

_DOCUMENT, _DIGEST = "__document__", "__sha256__"


class CheckpointError(PrintableError):
    """File that is not a readable checkpoint; the message names the file and the reason."""


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
        ValueError: if the document is too large (`reading.MOST_JSON_BYTES`).
        OSError: if the file cannot be written; an older file is left unchanged.
    """
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise TypeError(f"array {name!r} holds Python objects; expected numbers or text")
    text = json.dumps({**document, "format": FORMAT}, allow_nan=True).encode()
    check_json_size(text)
    members = {
        **arrays,
        _DOCUMENT: np.frombuffer(text, dtype=np.uint8),
        _DIGEST: np.frombuffer(_digest(arrays, text), dtype=np.uint8),
    }
    with open_atomically(path) as file:
        np.savez(file, **members)  # type: ignore[arg-type]  # numpy's stub mistakes the names


def read_checkpoint(
    path: str | os.PathLike[str],
) -> tuple[dict[str, AnyArray], dict[str, Any]]:
    """Return the arrays and the document of a checkpoint.

    Raises:
        CheckpointError: if the file is missing, truncated, damaged, of another kind or of another
            format version.
    """
    try:
        with open_for_reading(path, MOST_BYTES) as file:
            members = _read_members(file)
        text = members.pop(_DOCUMENT).tobytes()
        digest = members.pop(_DIGEST).tobytes()
        document = parse_json(text)
    except OSError as error:
        raise CheckpointError(f"checkpoint {path} cannot be read: {error.strerror}") from None
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


def _read_members(file: BinaryIO) -> dict[str, AnyArray]:
    """Read all members of an archive, by name."""
    size = os.fstat(file.fileno()).st_size
    members = {}
    with zipfile.ZipFile(BoundedReads(file, CHUNK_BYTES)) as archive:
        entries = archive.infolist()
        for entry in entries:
            # Our archives are uncompressed, so a small file cannot expand into a large one.
            if entry.compress_type != zipfile.ZIP_STORED or not entry.filename.endswith(".npy"):
                raise ValueError(f"unexpected member {entry.filename!r}")
        declared = sum(entry.file_size for entry in entries)
        if declared > size:  # members may overlap
            raise ValueError(f"members of {declared} bytes in {size}")
        for entry in entries:
            with archive.open(entry) as member:
                array = _read_array(member, entry.file_size)
            members[entry.filename[: -len(".npy")]] = array
    return members


def _read_array(file: Any, size: int) -> AnyArray:
    """Read one `.npy` member of a size in bytes, after checking its declared size."""
    version = np.lib.format.read_magic(file)
    if version != (1, 0):
        raise ValueError(f"unexpected array format {version}")
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
    # Python integers: a hostile header must not overflow. Nothing is allocated before the check.
    count = int(np.prod(shape, dtype=object))
    declared = count * dtype.itemsize
    if dtype.hasobject or declared != size - file.tell() or (count and not declared):
        raise ValueError(f"an array of {declared} bytes in {size - file.tell()}")
    content = np.empty(declared, dtype=np.uint8)
    for start in range(0, declared, CHUNK_BYTES):
        part = file.read(min(CHUNK_BYTES, declared - start))
        content[start : start + len(part)] = np.frombuffer(part, dtype=np.uint8)
    if file.tell() != size or file.read(1):
        raise ValueError(f"an array of {file.tell()} bytes instead of {size}")
    if dtype.kind == "b" and declared and content.max() > 1:
        raise ValueError("truth values other than 0 and 1")
    return np.ndarray(shape, dtype, content, order="F" if is_fortran else "C")


def _digest(arrays: Mapping[str, AnyArray], text: bytes) -> bytes:
    """Return the SHA-256 over the document and the arrays in the order of their names."""
    digest = hashlib.sha256(text)
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        # Name, dtype and shape too: the same bytes may not be read as another array.
        digest.update(f"{name}{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.digest()
