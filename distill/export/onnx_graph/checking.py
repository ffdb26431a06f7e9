"""Check of an ONNX file's structure, before a runtime reads it.

A runtime allocates what a file declares: tensors of any dimensions, a node of a kilobyte for each
two bytes, the contents of other files. Only the fields of the protocol buffers that matter are read
(https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

MOST_FIELDS, MOST_ENTRIES = 1_000_000, 20_000
"""Largest number of fields of all messages, and of nodes, tensors and other entries of graphs."""

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types."""

FLOAT = 1
"""`TensorProto.DataType` of float32."""

GRAPH, FUNCTION = 7, 25  # of ModelProto
NODE, INITIALIZER, SPARSE_INITIALIZER = 1, 5, 15  # of GraphProto
FUNCTION_NODE = 7  # of FunctionProto
ATTRIBUTE = 5  # of NodeProto
TENSORS, GRAPHS, SPARSE_TENSORS = (5, 10), (6, 11), (22, 23)  # of AttributeProto
DIMS, DATA_TYPE, RAW_DATA, EXTERNAL_DATA, DATA_LOCATION = 1, 2, 9, 13, 14  # of TensorProto


class ModelCheck:
    """Walk through a model that ends at the first thing that no export of a student has.

    Args:
        content: of the file.

    Raises:
        ValueError: for damaged messages, too many of them, tensors larger than their bytes, in
            other files, sparse ones or with NaN.
    """

    def __init__(self, content: bytes) -> None:
        self._fields = self._entries = 0
        for number, value in self._messages(memoryview(content)):
            if number == GRAPH:
                self._graph(value)
            elif number == FUNCTION:
                for inner, node in self._messages(value):
                    if inner == FUNCTION_NODE:
                        self._node(node)

    def _graph(self, graph: memoryview) -> None:
        for number, value in self._messages(graph):
            self._entries += 1
            if self._entries > MOST_ENTRIES:
                raise ValueError(f"more than {MOST_ENTRIES:,} nodes and tensors")
            if number == NODE:
                self._node(value)
            elif number == INITIALIZER:
                self._tensor(value)
            elif number == SPARSE_INITIALIZER:
                raise ValueError("a sparse tensor")

    def _node(self, node: memoryview) -> None:
        for number, attribute in self._messages(node):
            if number != ATTRIBUTE:
                continue
            for inner, value in self._messages(attribute):
                if inner in TENSORS:
                    self._tensor(value)
                elif inner in GRAPHS:
                    self._graph(value)
                elif inner in SPARSE_TENSORS:
                    raise ValueError("a sparse tensor")

    def _tensor(self, tensor: memoryview) -> None:
        dims: list[int] = []
        kind, raw = 0, memoryview(b"")
        for number, wire, value in self._read(tensor):
            if number == DIMS:
                dims += [value] if wire == VARINT else self._varints(value)
            elif number == DATA_TYPE:
                kind = value
            elif number == RAW_DATA:
                raw = value
            elif number in (EXTERNAL_DATA, DATA_LOCATION) and value:
                raise ValueError("a tensor in another file")
        # Of the smallest types two share a byte; -1 and the like are huge as varints.
        if prod(dims) > 2 * len(tensor):
            raise ValueError(f"a tensor of {dims} in {len(tensor):,} bytes")
        if kind == FLOAT and len(raw) % 4 == 0 and np.isnan(np.frombuffer(raw, "<f4")).any():
            raise ValueError("a tensor with NaN")

    def _messages(self, content: memoryview) -> Iterator[tuple[int, Any]]:
        """Yield the number and content of fields that are messages or bytes."""
        return ((number, value) for number, wire, value in self._read(content) if wire == BYTES)

    def _read(self, content: memoryview) -> Iterator[tuple[int, int, Any]]:
        """Yield the number, wire type and value of each field of a message."""
        at, end = 0, len(content)
        while at < end:
            self._fields += 1
            if self._fields > MOST_FIELDS:
                raise ValueError(f"more than {MOST_FIELDS:,} fields")
            key, at = _varint(content, at)
            wire = key & 7
            if wire == VARINT:
                value, at = _varint(content, at)
                yield key >> 3, wire, value
                continue
            if wire == BYTES:
                size, at = _varint(content, at)
            elif wire in (FIXED32, FIXED64):
                size = 4 if wire == FIXED32 else 8
            else:
                raise ValueError(f"wire type {wire}")
            if size > end - at:
                raise ValueError(f"a field of {size:,} bytes in {end - at:,}")
            yield key >> 3, wire, content[at : at + size]
            at += size

    def _varints(self, content: memoryview) -> list[int]:
        numbers, at = [], 0
        while at < len(content):
            number, at = _varint(content, at)
            numbers.append(number)
        return numbers


def _varint(content: memoryview, at: int) -> tuple[int, int]:
    """Return a number and the place after it."""
    number = 0
    for turn, byte in enumerate(content[at : at + 10]):
        number |= (byte & 127) << (7 * turn)
        if byte < 128:
            return number, at + turn + 1
    raise ValueError("a number that is cut short")
