"""Tables as text and bytes: the same dtypes, bits and order."""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dynamaze.benchmarks.harness.analysis.table import Table
from dynamaze.benchmarks.harness.store.encoding import EncodedTable, decode_table, encode_table


def assert_same(table: Table, other: Table) -> None:
    assert list(table) == list(other)
    for name, column in table.items():
        assert column.dtype == other[name].dtype
        assert column.shape == other[name].shape
        assert column.tobytes() == other[name].tobytes()


@pytest.mark.parametrize(
    "table",
    [
        {"reward": np.array([0.1]), "steps": np.array([7]), "agent": np.array(["Dyna-Q é\udc80"])},
        {"nan": np.array([np.nan]), "inf": np.array([-np.inf]), "zero": np.array([-0.0])},
        {"small": np.array([0.1], np.float32), "half": np.array([0.1], np.float16)},
        {"big": np.array([2**63 - 1]), "unsigned": np.array([2**64 - 1], np.uint64)},
        {"done": np.array([True]), "date": np.array(["2026-11-30"], "M8[D]")},
        {"other": np.array([1.5], ">f8"), "long": np.array([1 / 3], np.longdouble)},
        {"steps": np.arange(50), "values": np.arange(150.0).reshape(50, 3)},
        {"text": np.array(["a", "bcd"]), "number": np.array([1, 2], np.int8)},
        {"nothing": np.empty(0), "more": np.empty((0, 4), np.int32)},
        {"row": np.ones((1, 5)), "empty": np.ones((1, 0))},
        {"strided": np.arange(10)[::2]},
        {},
    ],
)
def test_decode_returns_encoded_bits(table: Table) -> None:
    assert_same(decode_table(encode_table(table)), table)


@settings(max_examples=50, deadline=None)
@given(hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(min_dims=1, min_side=0)))
def test_decode_returns_any_array(array: np.ndarray[Any, Any]) -> None:
    assert_same(decode_table(encode_table({"x": array})), {"x": array})


@settings(max_examples=50, deadline=None)
@given(st.floats(), st.text(), st.integers(-(2**63), 2**63 - 1))
def test_decode_returns_any_row(number: float, text: str, whole: int) -> None:
    table = {"n": np.array([number]), "t": np.array([text]), "w": np.array([whole])}
    assert_same(decode_table(encode_table(table)), table)


def test_single_row_is_readable() -> None:
    encoded = encode_table({"reward": np.array([0.1]), "agent": np.array(["Dyna-Q"])})
    assert json.loads(encoded.metrics) == {"reward": 0.1, "agent": "Dyna-Q"}
    assert not encoded.body


def test_encode_compresses_repetitions() -> None:
    assert len(encode_table({"x": np.zeros(1000)}).body) < 100


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (3.0, "a run returned float; expected a dict of arrays"),
        ({"x": 3.0}, "column 'x' of a run has a single value"),
        ({"x": [None]}, "column 'x' of a run has dtype object; expected an array of numbers"),
        ({"x": [1, 2], "y": [1]}, "column 'y' of a run has 1 rows; expected 2"),
    ],
)
def test_encode_rejects_what_is_no_table(table: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        encode_table(table)


@pytest.mark.parametrize(
    ("columns", "rows", "content"),
    [
        ('[["a","<f8",[],"body"]]', 1, bytes(10**7)),
        ('[["a","<f8",[1000000000],"body"]]', 1, bytes(8)),
        ('[["a","<f8",[-1],"body"]]', 1, bytes(8)),
        ('[["a","|O",[],"body"]]', 1, bytes(8)),
        ('[["a","<f8",[],"body"]]', 2**60, bytes(8)),
        ('[["a","<f8",[],"metrics"]]', 1, b""),  # without its document
    ],
)
def test_decode_refuses_declared_sizes(columns: str, rows: int, content: bytes) -> None:
    body = struct.pack("<BQ", 1, rows) + zlib.compress(content)
    with pytest.raises(
        ValueError, match=r"bytes of a table|negative size|expected num|numbers of 0"
    ):
        decode_table(EncodedTable(columns, "", body))
