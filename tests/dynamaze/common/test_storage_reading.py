"""Reader of checkpoints: it refuses damaged files and executable content."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynamaze.common.storage import CheckpointError, read_checkpoint, write_checkpoint

ARRAYS: dict[str, np.ndarray] = {
    "model.visits": np.arange(6).reshape(2, 3),
    "flags": np.array([True, False]),
    "words": np.array([2**64 - 1], dtype=np.uint64),
    "nothing": np.zeros((0, 4)),
}
DOCUMENT = {"agent": "DynaQ", "steps": 2**70}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "a.npz"
    write_checkpoint(path, ARRAYS, DOCUMENT)
    return path


def test_read_rejects_truncated_file(saved: Path) -> None:
    content = saved.read_bytes()
    for length in [*range(0, len(content), len(content) // 40), len(content) - 1]:
        saved.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match=r"a\.npz is not a whole checkpoint"):
            read_checkpoint(saved)


def test_read_detects_damaged_bytes(saved: Path) -> None:
    content = saved.read_bytes()
    noticed = 0
    positions = range(0, len(content), 7)
    for position in positions:
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        saved.write_bytes(damaged)
        try:
            arrays, document = read_checkpoint(saved)
        except CheckpointError:
            noticed += 1
        else:  # a byte of the archive without influence, such as a date
            assert document == {**DOCUMENT, "format": 1}
            assert {name: array.tobytes() for name, array in arrays.items()} == {
                name: array.tobytes() for name, array in ARRAYS.items()
            }
    assert noticed > 0.7 * len(positions)


def rewrite(path: Path, change: Callable[[dict[str, np.ndarray]], Any]) -> None:
    """Change the members of an archive and write it again, with the old digest."""
    with np.load(path) as archive:
        members = dict(archive)
    change(members)
    content = io.BytesIO()
    np.savez(content, **members)  # type: ignore[arg-type]
    path.write_bytes(content.getvalue())


def document_with(**entries: Any) -> np.ndarray:
    text = json.dumps({**DOCUMENT, "format": 1, **entries}).encode()
    return np.frombuffer(text, dtype=np.uint8)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update({"flags": ~m["flags"]}),
        lambda m: m.update({"model.visits": m["model.visits"].reshape(3, 2)}),
        lambda m: m.update({"words": m["words"].view(np.int64)}),
        lambda m: m.update({"more": np.zeros(1)}),
        lambda m: m.pop("nothing"),
        lambda m: m.update({"flagz": m.pop("flags")}),
        lambda m: m.update({"__document__": document_with(steps=1)}),
    ],
    ids=["value", "shape", "dtype", "one_more", "one_less", "name", "document"],
)
def test_read_detects_changed_members(saved: Path, change: Any) -> None:
    rewrite(saved, lambda members: None)
    read_checkpoint(saved)
    rewrite(saved, change)
    with pytest.raises(CheckpointError, match=r"a\.npz is damaged: its SHA-256"):
        read_checkpoint(saved)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update({"__document__": document_with(format=2)}), "format 2; expected 1"),
        (lambda m: m.update({"__document__": np.frombuffer(b"[1]", np.uint8)}), "format None"),
        (lambda m: m.update({"__document__": np.frombuffer(b"{", np.uint8)}), "JSONDecodeError"),
        (lambda m: m.pop("__sha256__"), "__sha256__"),
        (lambda m: m.pop("__document__"), "__document__"),
    ],
)
def test_read_rejects_other_archives(saved: Path, change: Any, message: str) -> None:
    rewrite(saved, change)
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(saved)


def test_read_rejects_non_checkpoints(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("steps,reward\n")
    for path, message in [("none", "No such file"), (".", "directory"), ("text", "not a zip")]:
        with pytest.raises(CheckpointError, match=message) as caught:
            read_checkpoint(tmp_path / path)
        assert str(tmp_path / path) in str(caught.value)


def member(header: bytes, compression: int = zipfile.ZIP_STORED, name: str = "a.npy") -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        archive.writestr(name, header)
    return content.getvalue()


def saved_array(array: np.ndarray, version: tuple[int, int] | None = None) -> bytes:
    content = io.BytesIO()
    np.lib.format.write_array(content, array, version=version)
    return content.getvalue()


def declared(shape: tuple[int, ...], descr: str = "<f8") -> bytes:
    content = io.BytesIO()
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(content, header)
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (member(saved_array(np.zeros(10**6)), zipfile.ZIP_DEFLATED), "unexpected member 'a.npy'"),
        (member(b"import os", name="a.py"), "unexpected member 'a.py'"),
        (member(declared((10**15,))), "array of 8000000000000000 bytes in 0"),
        (member(declared((2**62, 4))), "bytes in 0"),
        (member(saved_array(np.zeros(3)) + b"more"), "array of 24 bytes in 28"),
        (member(saved_array(np.zeros(3), (2, 0))), r"array format \(2, 0\)"),
        (member(b"\x93NUMPY"), "not a whole checkpoint"),
    ],
    ids=["bomb", "script", "huge", "overflow", "rest", "version", "short"],
)
def test_read_rejects_hostile_archives(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(tmp_path / "a.npz")


class Payload:
    """Object that makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("dtype", [object, [("a", "<f8"), ("b", object)]])
def test_read_loads_no_pickle(tmp_path: Path, dtype: Any) -> None:
    payload = Payload(tmp_path / "ran")
    array = np.zeros(1, dtype=dtype)
    array[0] = payload if dtype is object else (1.0, payload)
    np.savez(tmp_path / "a.npz", a=array)
    with pytest.raises(CheckpointError, match="an array of"):
        read_checkpoint(tmp_path / "a.npz")
    assert not payload.path.exists()
    np.load(tmp_path / "a.npz", allow_pickle=True)["a"]  # here it does run
    assert payload.path.exists()


def test_read_refuses_sparse_and_deep_files(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(CheckpointError, match="expected at most 8,589,934,592"):
        read_checkpoint(path)
    with path.open("wb") as file:
        file.truncate(2**32)  # no archive at its end: only that is read
    with pytest.raises(CheckpointError, match="not a zip file"):
        read_checkpoint(path)
    for text in (b"[" * 10**5, b"[0" + b",{}" * 300_000 + b"]", b" " * 2**24):
        np.savez(path, __document__=np.frombuffer(text, np.uint8), __sha256__=np.zeros(32, "u1"))
        with pytest.raises(CheckpointError, match=r"a\.npz is not a whole .*(deeply|lists|bytes)"):
            read_checkpoint(path)


def test_write_refuses_unreadable_document(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected at most 8,388,608"):
        write_checkpoint(tmp_path / "a.npz", {}, {"text": "x" * 2**23})
    assert list(tmp_path.iterdir()) == []
