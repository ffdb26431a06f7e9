"""Atomic writes: files are complete or absent, even if the writer fails."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dynamaze.common.atomic_files import write_atomically
from dynamaze.common.storage import read_checkpoint, write_checkpoint

ARRAYS: dict[str, np.ndarray] = {
    "model.reward": np.array([0.1, -0.0, np.nan, np.inf, 5e-324]),
    "model.visits": np.arange(6).reshape(2, 3),
    "transposed": np.arange(6).reshape(2, 3).T,
    "flags": np.array([True, False]),
    "words": np.array([2**64 - 1], dtype=np.uint64),
    "big_endian": np.array([1.5], dtype=">f4"),
    "text": np.array(["up", "läng"]),
    "number": np.array(3),
    "nothing": np.zeros((0, 4)),
}
DOCUMENT = {"agent": "DynaQ", "steps": 2**70, "rate": 0.1, "none": None, "list": [1, [2.5, "ü"]]}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "a.npz"
    write_checkpoint(path, ARRAYS, DOCUMENT)
    return path


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_checkpoint_round_trip_bit_identical(saved: Path) -> None:
    arrays, document = read_checkpoint(saved)
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        assert arrays[name].shape == array.shape
        assert arrays[name].tobytes() == array.tobytes()
    assert document == {**DOCUMENT, "format": 1}


def test_checkpoint_keeps_nonfinite_numbers(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "a", {}, {"mean": float("nan"), "best": float("-inf")})
    _, document = read_checkpoint(tmp_path / "a")
    assert np.isnan(document["mean"])
    assert document["best"] == float("-inf")


@pytest.mark.parametrize(
    ("arrays", "document", "message"),
    [
        ({"a": np.array([{}])}, {}, "'a' holds Python objects"),
        ({}, {"model": object()}, "not JSON"),
    ],
)
def test_write_checkpoint_rejects_objects(
    saved: Path, arrays: Any, document: Any, message: str
) -> None:
    before = saved.read_bytes()
    with pytest.raises(TypeError, match=message):
        write_checkpoint(saved, arrays, document)
    assert saved.read_bytes() == before
    assert names_in(saved.parent) == ["a.npz"]


@pytest.mark.parametrize("failing", ["fsync", "chmod", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_failed_write_keeps_old_file(
    saved: Path, monkeypatch: pytest.MonkeyPatch, failing: str, error: BaseException
) -> None:
    before = saved.read_bytes()

    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(type(error)):
        write_atomically(saved, b"new")
    assert saved.read_bytes() == before
    assert names_in(saved.parent) == ["a.npz"]


def test_failed_write_names_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=r"No space left on device: '.*a\.npz'"):
        write_atomically(tmp_path / "a.npz", b"new")


def test_write_flushes_before_rename(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[Any] = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(descriptor: int) -> None:
        events.append(("fsync", os.fstat(descriptor).st_size))
        fsync(descriptor)

    def noted_replace(source: str, target: Path) -> None:
        events.append(("replace", Path(source).parent, target))  # atomic inside one folder
        replace(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    write_atomically(saved, b"new")
    assert events == [("fsync", 3), ("replace", saved.parent, saved)]
    assert saved.read_bytes() == b"new"


def test_write_to_invalid_path_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_atomically(tmp_path / "folder", b"new")
    with pytest.raises(OSError, match="none"):
        write_atomically(tmp_path / "none" / "a", b"new")
    assert names_in(tmp_path) == ["folder"]


def test_concurrent_reader_never_finds_part(tmp_path: Path) -> None:
    path, contents = tmp_path / "a", [bytes([letter]) * 300_000 for letter in b"ab"]
    write_atomically(path, contents[0])
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            found.add(path.read_bytes())

    found: set[bytes] = set()
    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(60):
        write_atomically(path, contents[turn % 2])
    done.set()
    reader.join()
    assert found <= set(contents)
    assert names_in(tmp_path) == ["a"]
