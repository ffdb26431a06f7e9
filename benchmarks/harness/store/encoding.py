"""Tables of runs as text and bytes: the same dtypes, bits and order come back.

The finite numbers and the text of a table of one row are readable JSON; all other columns are
bytes, compressed where that saves space.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from dynamaze.benchmarks.harness.analysis.table import Table

KINDS = "biufcmMUS"
"""Kinds of the dtypes of columns."""

Columns = Sequence[tuple[str, str, list[int], str]]
"""For each column its name, dtype, shape of a row, and place ("metrics" or "body")."""


class EncodedTable(NamedTuple):
    """Table as it is stored; made where the run takes place, by `encode_table`."""

    columns: str
    """JSON: for each column its name, dtype, shape of a row and place ("metrics" or "body")."""
    metrics: str
    """JSON object of the numbers and texts of a table of one row, or ""."""
    body: bytes
    """All other columns."""


def encode_table(table: Mapping[str, Any]) -> EncodedTable:
    """Encode a table.

    Args:
        table: column name -> (rows, ...) numbers, booleans, dates or text.

    Raises:
        ValueError: if it is no table: columns of Python objects, of no rows, or of different
            lengths.
    """
    if not isinstance(table, Mapping):
        raise ValueError(f"a run returned {type(table).__name__}; expected a dict of arrays")
    columns: list[tuple[str, str, list[int], str]] = []
    metrics: dict[str, Any] = {}
    parts: list[bytes] = []
    rows = None
    for name, values in table.items():
        array = np.asarray(values)
        if not isinstance(name, str) or array.ndim == 0 or array.dtype.kind not in KINDS:
            found = "a single value" if array.ndim == 0 else f"dtype {array.dtype}"
            raise ValueError(
                f"column {name!r} of a run has {found}; expected an array of numbers or text"
            )
        rows = len(array) if rows is None else rows
        if len(array) != rows:
            raise ValueError(f"column {name!r} of a run has {len(array)} rows; expected {rows}")
        is_metric = array.shape == (1,) and _is_readable(array)
        columns.append(
            (name, array.dtype.str, list(array.shape[1:]), "metrics" if is_metric else "body")
        )
        if is_metric:
            metrics[name] = array[0].item()
        else:
            parts.append(array.tobytes())
    text = json.dumps(metrics, separators=(",", ":")) if metrics else ""
    body = b"" if rows == 1 and not parts else _pack(rows or 0, b"".join(parts))
    return EncodedTable(json.dumps(columns, separators=(",", ":")), text, body)


def decode_table(encoded: EncodedTable) -> Table:
    """Return an encoded table: the same dtypes, bits and order."""
    columns = json.loads(encoded.columns)
    stacked = decode_stacked(columns, [encoded.metrics], [encoded.body])
    return {name: column[0] for name, column in stacked.items()}


def _is_readable(array: np.ndarray[Any, Any]) -> bool:
    """Tell whether JSON keeps all bits of a single value."""
    kind = array.dtype.kind
    return kind in "biuU" or (kind == "f" and array.itemsize <= 8 and bool(np.isfinite(array[0])))


def _pack(rows: int, content: bytes) -> bytes:
    if len(content) >= 64:
        small = zlib.compress(content, 1)
        if len(small) < 0.95 * len(content) and len(content) <= _most_unpacked(len(small)):
            return struct.pack("<BQ", 1, rows) + small
    return struct.pack("<BQ", 0, rows) + content


def _most_unpacked(packed: int) -> int:
    """Return the most bytes to which a number of compressed bytes may unpack."""
    return max(10**8, 20 * packed)


def _unpack(body: bytes, size_of_row: int) -> tuple[int, bytes]:
    """Return the number of rows and the bytes of the columns of a body.

    Raises:
        ValueError: if they are not as many as the columns declare; no more are unpacked.
    """
    if not body:
        rows, content = 1, b""
    else:
        is_compressed, rows = struct.unpack_from("<BQ", body)
        declared = rows * size_of_row
        if is_compressed and declared > _most_unpacked(len(body)):
            raise ValueError(f"{declared} bytes of a table in {len(body)}")
        unpacker = zlib.decompressobj()
        content = unpacker.decompress(body[9:], declared + 1) if is_compressed else body[9:]
    if len(content) != rows * size_of_row:
        raise ValueError(f"{len(content)} bytes of a table; expected {rows * size_of_row}")
    return rows, content


def decode_stacked(
    columns: Columns,
    metrics: Sequence[str],
    bodies: Sequence[bytes],
) -> Table:
    """Return the stacked columns (runs, rows, ...) of tables with equal columns and rows.

    Raises:
        ValueError: (or another error of damaged JSON or bytes) for a damaged table.
    """
    documents = json.loads(f"[{','.join(metrics)}]") if metrics[0] else []
    in_documents = any(place == "metrics" for _, _, _, place in columns)
    if in_documents and len(documents) != len(bodies):
        raise ValueError(f"numbers of {len(documents)} runs; expected those of {len(bodies)}")
    dtypes = [_dtype(text) for _, text, _, _ in columns]
    sizes = [
        0 if place == "metrics" else dtype.itemsize * prod(shape)
        for dtype, (_, _, shape, place) in zip(dtypes, columns, strict=True)
    ]
    if min(sizes, default=0) < 0:
        raise ValueError("a column of negative size")
    unpacked = [_unpack(body, sum(sizes)) for body in bodies]
    rows = unpacked[0][0]
    content = np.frombuffer(b"".join(part for _, part in unpacked), np.uint8)
    content = content.reshape(len(bodies), -1) if content.size else content
    table: Table = {}
    start = 0
    for (name, _, shape, place), dtype, of_row in zip(columns, dtypes, sizes, strict=True):
        if place == "metrics":
            table[name] = np.array([[each[name]] for each in documents], dtype)
            continue
        size = of_row * rows
        full = (len(bodies), rows, *shape)
        if not size:
            table[name] = np.empty(full, dtype)
            continue
        part = np.ascontiguousarray(content[:, start : start + size])
        start += size
        table[name] = part.view(dtype).reshape(full)
    return table


def _dtype(text: str) -> np.dtype[Any]:
    dtype = np.dtype(text)
    if dtype.kind not in KINDS:
        raise ValueError(f"a column of {dtype}; expected numbers or text")
    return dtype


def table_crc(name: str, number: int, encoded: EncodedTable) -> int:
    """Return the CRC-32 of a table and of what it is stored under."""
    key = f"{name} {number} {encoded.columns} {encoded.metrics}"
    return zlib.crc32(encoded.body, zlib.crc32(key.encode(errors="surrogatepass")))
