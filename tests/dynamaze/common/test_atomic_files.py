"""Atomic files: permissions, links, long names, errors by path, and strays of killed writers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dynamaze.common import atomic_files
from dynamaze.common.atomic_files import (
    AtomicFile,
    create_atomically,
    open_atomically,
    remove_strays,
    write_atomically,
    write_together,
)
from dynamaze.common.reading import read_bytes

posix = pytest.mark.skipif(os.name != "posix", reason="permissions and links of POSIX")


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def stray(tmp_path: Path) -> Path:
    """Temporary file of a writer that has ended without removing it."""
    file = AtomicFile(tmp_path / "killed")
    file.file.close()
    return Path(file.temporary)


# -- permissions and links ---------------------------------------------------------------------


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755, 0o666])
def test_write_keeps_mode(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(mode)
    with open_atomically(path) as file:
        assert os.fstat(file.fileno()).st_mode & 0o077 == 0, "readable by others while it grows"
        file.write(b"new")
    assert path.stat().st_mode & 0o777 == mode
    assert path.read_bytes() == b"new"


@posix
def test_new_file_mode_obeys_umask(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        write_atomically(tmp_path / "a", b"new")
    finally:
        os.umask(mask)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


@posix
@pytest.mark.skipif(os.getuid() != 0, reason="only the administrator gives files away")
def test_write_keeps_owner(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    os.chown(tmp_path / "a", 12345, 54321)
    write_atomically(tmp_path / "a", b"new")
    assert ((tmp_path / "a").stat().st_uid, (tmp_path / "a").stat().st_gid) == (12345, 54321)


@posix
def test_read_only_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(0o444)
    with pytest.raises(PermissionError, match=r"the file is read-only: '.*/a'"):
        write_atomically(path, b"new")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"old", 0o444)
    assert names_in(tmp_path) == ["a"]


@posix
@pytest.mark.parametrize("target", ["b", "deep/b", "missing"])
def test_symbolic_link_target_is_replaced(tmp_path: Path, target: str) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b", "deep/b"):
        (tmp_path / name).write_bytes(b"old")
    link = tmp_path / "link"
    link.symlink_to(target)  # relative
    (tmp_path / "link2").symlink_to("link")
    write_atomically(tmp_path / "link2", b"new")
    assert (tmp_path / target).read_bytes() == b"new"
    assert (link.is_symlink(), os.readlink(link)) == (True, target)
    link.unlink()
    link.symlink_to("link2")
    with pytest.raises(OSError, match=r"symbolic links: '.*/link2'"):
        write_atomically(tmp_path / "link2", b"new")


@posix
def test_hard_link_keeps_old_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    os.link(tmp_path / "a", tmp_path / "snapshot")
    write_atomically(tmp_path / "a", b"new")
    assert (tmp_path / "snapshot").read_bytes() == b"old"


@posix
def test_pipe_is_written_directly(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_atomically(tmp_path / "pipe", b"new")
    assert os.read(reader, 9) == b"new"
    os.close(reader)
    write_atomically("/dev/null", b"new")
    assert names_in(tmp_path) == ["pipe"]
    with pytest.raises(OSError, match=r"not a regular file: '.*/pipe'"):
        AtomicFile(tmp_path / "pipe")
    with pytest.raises(OSError, match=r"not a regular file: '.*/pipe'"):
        read_bytes(tmp_path / "pipe", 9)


# -- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 244, 255])
def test_write_takes_long_names(tmp_path: Path, length: int) -> None:
    write_atomically(tmp_path / ("n" * length), b"new")
    assert (tmp_path / ("n" * length)).read_bytes() == b"new"


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("none/a", FileNotFoundError),
        ("file/a", NotADirectoryError),
        ("folder", IsADirectoryError),
        ("n" * 256, OSError),
        ("", OSError),
    ],
)
def test_error_names_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, error: type[OSError]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(error) as caught:
        write_atomically(path, b"new")
    assert (caught.value.filename, caught.value.filename2) == (path, None)
    assert names_in(tmp_path) == ["file", "folder"]


def test_error_of_other_file_keeps_its_name(tmp_path: Path) -> None:
    def copy() -> None:
        with open_atomically(tmp_path / "a") as file:
            file.write((tmp_path / "source").read_bytes())

    with pytest.raises(FileNotFoundError, match="source'"):
        copy()
    assert names_in(tmp_path) == []


@pytest.mark.parametrize(("refusals", "fails"), [(3, False), (100, True)])
def test_refused_replacement_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusals: int, fails: bool
) -> None:
    replace, waits = os.replace, []
    monkeypatch.setattr(time, "sleep", waits.append)

    def refuse(source: str, target: Path) -> None:
        if len(waits) < refusals:
            raise PermissionError(13, "Access is denied", source, 5, str(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    if fails:
        with pytest.raises(PermissionError, match=r"denied: '.*/a'$"):
            write_atomically(tmp_path / "a", b"new")
        assert 0.5 < sum(waits) < 2
    else:
        write_atomically(tmp_path / "a", b"new")
    assert names_in(tmp_path) == ([] if fails else ["a"])


# -- strays ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "act",
    [
        lambda folder: write_atomically(folder / "other", b"new"),
        lambda folder: read_bytes(folder / "data", 9),
    ],
    ids=["write", "read"],
)
def test_strays_are_removed(tmp_path: Path, stray: Path, act: Callable[[Path], Any]) -> None:
    (tmp_path / "data").touch()
    (tmp_path / ".data.tmp").touch()
    used = AtomicFile(tmp_path / "video")
    act(tmp_path)
    assert not stray.exists()
    assert Path(used.temporary).exists()
    assert (tmp_path / ".data.tmp").exists()
    used.commit()
    assert (tmp_path / "video").exists()


@posix
def test_unremovable_stray_fails_no_write(
    tmp_path: Path, stray: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(1, "Operation not permitted", str(stray))

    monkeypatch.setattr(os, "unlink", refuse)
    write_atomically(tmp_path / "a", b"new")
    assert names_in(tmp_path) == sorted(["a", stray.name])
    monkeypatch.undo()
    stray.unlink()
    stray.mkdir()  # of another program
    write_atomically(tmp_path / "a", b"newer")
    assert stray.is_dir()
    remove_strays(tmp_path / "missing")


@posix
def test_stray_of_other_user_fails_no_write(tmp_path: Path, stray: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("needs another user")
    tmp_path.chmod(0o1777)
    code = "import sys; from dynamaze.common.atomic_files import write_atomically as w\n"
    stray.chmod(0o600)
    run = f"{code}import os; os.setuid(65534); w({str(tmp_path / 'a')!r}, b'new')"
    for folder in tmp_path.parents:
        if folder.name.startswith(("pytest-", "popen-")):  # pytest closes them to others
            folder.chmod(0o755)
    subprocess.run([sys.executable, "-c", run], check=True)
    assert names_in(tmp_path) == sorted(["a", stray.name])


# -- files that belong together ----------------------------------------------------------------


def test_create_keeps_existing_file(tmp_path: Path) -> None:
    assert create_atomically(tmp_path / "a", b"new")
    assert not create_atomically(tmp_path / "a", b"newer")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert names_in(tmp_path) == ["a"]


@posix
def test_kill_between_link_and_unlink(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "unlink", lambda *_: None)  # as if it was killed before
    create_atomically(tmp_path / "a", b"new")
    monkeypatch.undo()
    assert len(names_in(tmp_path)) == 2
    assert read_bytes(tmp_path / "a", 9) == b"new"
    assert names_in(tmp_path) == ["a"]


@pytest.mark.parametrize("fails_at", range(6))
def test_kill_between_files_leaves_no_outdated_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    def write(number: int) -> None:
        text = str(number).encode()
        main, *derived = ((tmp_path / name, text) for name in ("main", "page", "picture"))
        write_together(main, derived, [tmp_path / "old"] if number else [])

    class Killed(BaseException):
        pass

    (tmp_path / "old").write_bytes(b"0")
    write(0)
    calls = 0
    replace, unlink = os.replace, os.unlink

    def step(action: Callable[..., None]) -> Callable[..., None]:
        def counted(*paths: Any) -> None:
            nonlocal calls
            if calls > fails_at:
                return  # a killed process removes nothing
            if calls == fails_at:
                calls += 1
                raise Killed
            if not atomic_files.TEMPORARY.fullmatch(Path(paths[-1]).name):
                calls += 1
            action(*paths)

        return counted

    monkeypatch.setattr(os, "replace", step(replace))
    monkeypatch.setattr(os, "unlink", step(unlink))
    with pytest.raises(Killed):
        write(1)
    monkeypatch.undo()
    remove_strays(tmp_path)
    found = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert "main" in found
    assert set(found.values()) == {found["main"]}


def test_failed_group_changes_nothing(tmp_path: Path) -> None:
    write_together((tmp_path / "main", b"0"), [(tmp_path / "page", b"0")])
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError, match="folder'"):
        write_together(
            (tmp_path / "main", b"1"), [(tmp_path / "page", b"1"), (tmp_path / "folder", b"1")]
        )
    assert names_in(tmp_path) == ["folder", "main", "page"]
    assert (tmp_path / "main").read_bytes() == (tmp_path / "page").read_bytes() == b"0"


def test_group_of_one_file_twice_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "main").write_bytes(b"0")
    (tmp_path / "page").symlink_to("main")
    with pytest.raises(ValueError, match=r"main'.*page'.* name one file twice"):
        write_together((tmp_path / "main", b"1"), [(tmp_path / "page", b"2")])
    assert names_in(tmp_path) == ["main", "page"]
    assert (tmp_path / "main").read_bytes() == b"0"


def test_name_of_folder_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match="new/'"):
        write_atomically(f"{tmp_path}/new/", b"1")
    assert names_in(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_error_of_full_device_names_it() -> None:
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
        write_atomically("/dev/full", b"1")
