"""Atomic file writes: a reader finds the old content or the new one, never a part.

A file is written under a temporary name in the same folder and renamed when it is complete. Its
writer holds a lock on it, so that the temporary files of killed writers are known, and removed by
the next read or write in that folder.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows, which does not delete an open file
    fcntl = None

TEMPORARY = re.compile(r"\.dynamaze-[0-9a-f]{16}\.part")
"""Names of temporary files. They do not contain the file's own name, which may be too long."""

STRAY_SECONDS = 86400.0
"""Age above which a temporary file is a killed writer's, on file systems without locks."""

RETRY_SECONDS = tuple(0.001 * 2**turn for turn in range(10))
"""Waiting times before a refused replacement is tried again, about a second together.

Windows refuses it while another process, such as a virus scanner, reads the old file.
"""


class AtomicFile:
    """File that replaces an older one when it is complete, in one step.

    The new file keeps the permissions of the old one, and its owner where that is allowed. Of a
    symbolic link the target is replaced. Other hard links of the old file keep the old content.

    Args:
        path: the file.

    Attributes:
        path: the file, as it was given.
        file: open for reading and writing, until `commit` or `discard`.
        temporary: its present name.

    Raises:
        OSError: if the file cannot be written, is read-only or no regular file; names `path`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        with self._errors():
            self._target = _followed(path)
            self._old = _status(self._target)
            if self._old is not None:
                _check_writable(self._target, self._old)
            # Nobody else may read the content of a private file while it is written.
            mode = 0o666 if self._old is None else 0o600
            self.temporary, self.file = _create(self._target.parent, mode)

    def write(self, content: bytes) -> None:
        """Write the whole content, or the next part of it.

        Raises:
            OSError: if the disk is full, for example; the file is then to be discarded.
        """
        with self._errors():
            self.file.write(content)

    def commit(self) -> None:
        """Flush the content to the disk and let the file take its place.

        Raises:
            OSError: if that fails; the older file is left unchanged and the new one is removed.
        """
        self.prepare()
        self._finish(lambda: _replace(self.temporary, self._target))

    def commit_new(self) -> bool:
        """As `commit`, but return False and change nothing if the file exists by now."""
        self.prepare()
        made: list[bool] = []
        self._finish(lambda: made.append(_link(self.temporary, self._target)))
        return made[0]

    def prepare(self) -> None:
        """Flush the content to the disk: what may fail before `commit` replaces the older file.

        Raises:
            OSError: as `commit`.
        """
        try:
            with self._errors():
                self.file.flush()
                os.fsync(self.file.fileno())  # content before name: no empty file after a crash
                if self._old is not None:
                    _keep_owner(self.file.fileno(), self._old)
                    os.chmod(self.temporary, stat.S_IMODE(self._old.st_mode) & 0o777)
        except BaseException:
            self.discard()
            raise

    def _finish(self, rename: Callable[[], None]) -> None:
        if fcntl is None:
            self.file.close()  # Windows renames no open file
        try:
            with self._errors():
                rename()
        except BaseException:
            self.discard()
            raise
        self.file.close()  # ends the lock, which no other name may have
        remove_strays(self._target.parent)

    def discard(self) -> None:
        """Close and remove the unfinished file; the older one is left unchanged."""
        with suppress(OSError):  # of a full disk
            self.file.close()
        with suppress(OSError):
            os.unlink(self.temporary)

    def __enter__(self) -> AtomicFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Commit, or discard after an error."""
        if error is None:
            self.commit()
            return
        self.discard()
        if isinstance(error, OSError):
            self.name_in(error)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Let errors name the path that was given, never the temporary file."""
        try:
            yield
        except OSError as error:
            if error.filename2 is None:
                if error.errno is not None:
                    error.filename = self.path
                raise
            # Of a renaming: its text would name both, and the second cannot be taken away.
            raise OSError(error.errno, error.strerror, self.path) from None

    def name_in(self, error: OSError) -> None:
        """Let an error of the caller's writing name the path, unless it names another file."""
        if error.errno is not None and error.filename in (None, self.temporary):
            error.filename = self.path


@contextmanager
def open_atomically(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file for writing, which takes the place of an older one when it is complete.

    See `AtomicFile`. A device or a pipe, such as /dev/stdout, is written directly.

    Raises:
        OSError: if the file cannot be written; an older file is left unchanged.
    """
    if _is_special(path):
        try:
            with open(path, "wb") as file:
                yield file
        except OSError as error:  # of a full device, for example
            if error.errno is not None and error.filename is None:
                error.filename = os.fspath(path)
            raise
        return
    with AtomicFile(path) as atomic:
        yield atomic.file


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file atomically: readers find the old content or the new, never a part.

    Raises:
        OSError: as `open_atomically`.
    """
    with open_atomically(path) as file:
        file.write(content)


def create_atomically(path: str | os.PathLike[str], content: bytes) -> bool:
    """Write a new file atomically; return False and change nothing if there is one.

    Raises:
        OSError: as `open_atomically`.
    """
    atomic = AtomicFile(path)
    try:
        atomic.write(content)
    except BaseException:
        atomic.discard()
        raise
    return atomic.commit_new()


def write_together(
    main: tuple[str | os.PathLike[str], bytes],
    derived: Iterable[tuple[str | os.PathLike[str], bytes]],
    outdated: Iterable[str | os.PathLike[str]] = (),
) -> None:
    """Write a file and those that are derived from it, so that they never disagree.

    All are written under temporary names first; then the older derived files are removed, the main
    file is replaced, and the derived ones follow. A kill in between leaves derived files missing,
    but none of another version.

    Args:
        main: path and content.
        derived: paths and contents.
        outdated: further derived files of older versions, which are removed.

    Raises:
        OSError: if a file cannot be written; nothing is changed then, unless the disk or the folder
            fails between two renames.
        ValueError: if two of them are one file.
    """
    files: list[AtomicFile] = []
    try:
        for path, content in (main, *derived):
            files.append(AtomicFile(path))
            files[-1].write(content)
            files[-1].prepare()
        targets = [os.path.realpath(file._target) for file in files]
        if len(set(targets)) < len(targets):
            raise ValueError(f"{[file.path for file in files]} name one file twice")
        for old in (*(file._target for file in files[1:]), *outdated):
            with suppress(FileNotFoundError):
                os.unlink(old)
        for file in files:
            file.commit()
    except BaseException:
        for file in files:
            file.discard()
        raise


def remove_strays(folder: str | os.PathLike[str]) -> None:
    """Remove the temporary files of killed writers from a folder, but none that is in use.

    It never fails: a file that cannot be removed, such as another user's, stays.
    """
    strays: list[str] = []
    with suppress(OSError), os.scandir(folder) as entries:
        strays = [entry.path for entry in entries if TEMPORARY.fullmatch(entry.name)]
    for path in strays:
        with suppress(OSError):
            _remove_unless_used(path)


def _remove_unless_used(path: str) -> None:
    status = os.lstat(path)
    if not stat.S_ISREG(status.st_mode):
        return
    # A second name of a finished file. It must not be opened: to close a descriptor would end the
    # locks of this process on it, if it is an SQLite file.
    if status.st_nlink > 1:
        os.unlink(path)
        return
    is_old = time.time() - status.st_mtime > STRAY_SECONDS
    if fcntl is None:
        os.unlink(path)  # Windows refuses to delete an open file
        return
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    try:
        if not _lock(descriptor, fcntl.LOCK_NB) and not is_old:
            return
        os.unlink(path)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, flags: int = 0) -> bool:
    """Lock a file; return False where the file system has no locks.

    Raises:
        BlockingIOError: if another writer holds it, with the flag `LOCK_NB`.
    """
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | flags)
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True


def _create(folder: Path, mode: int) -> tuple[str, BinaryIO]:
    """Create a temporary file and lock it."""
    while True:
        path = os.path.join(folder, f".dynamaze-{secrets.token_hex(8)}.part")
        try:
            file = open(path, "x+b", opener=partial(os.open, mode=mode))  # noqa: SIM115
        except FileExistsError:
            continue
        _lock(file.fileno())
        # Another process may have taken it for a stray before it was locked.
        if fcntl is None or os.fstat(file.fileno()).st_nlink:
            return path, file
        file.close()


def _followed(path: str | os.PathLike[str]) -> Path:
    """Return the path, or the target of a symbolic link, which may be missing."""
    if not (name := os.fspath(path)):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    if name.endswith(("/", os.sep)):  # `Path` would take it for a file of this name
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not os.path.islink(path):
        return Path(path)
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return target


def _status(path: Path) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _is_special(path: str | os.PathLike[str]) -> bool:
    """Tell whether a path is a device, a pipe or a socket."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _check_writable(path: Path, status: os.stat_result) -> None:
    """Check that a file may be written, as if it were opened and not replaced."""
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    # A file that nobody may write is meant to stay, also where the administrator writes.
    if not status.st_mode & 0o222:
        raise PermissionError(errno.EACCES, "the file is read-only")
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _keep_owner(descriptor: int, old: os.stat_result) -> None:
    """Give a file the owner and group of another, or the group alone, where that is allowed."""
    new = os.fstat(descriptor)
    if sys.platform == "win32" or (new.st_uid, new.st_gid) == (old.st_uid, old.st_gid):
        return
    for owner in (old.st_uid, -1):
        with suppress(OSError):
            os.fchown(descriptor, owner, old.st_gid)
            return


def _replace(temporary: str, target: Path) -> None:
    for seconds in RETRY_SECONDS:
        try:
            os.replace(temporary, target)  # atomic within one file system, hence the same folder
        except PermissionError:
            time.sleep(seconds)
        else:
            return
    os.replace(temporary, target)


def _link(temporary: str, target: Path) -> bool:
    """Rename a file unless the new name exists; return False if it does."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        os.unlink(temporary)
        return False
    except OSError:  # a file system without links
        if target.exists():
            os.unlink(temporary)
            return False
        os.replace(temporary, target)
        return True
    with suppress(FileNotFoundError):
        os.unlink(temporary)
    return True
