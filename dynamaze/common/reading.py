"""Reading of files that may be damaged or hostile: sizes are checked before memory is used."""

from __future__ import annotations

import errno
import json
import os
import stat
from typing import Any, BinaryIO

from dynamaze.common.atomic_files import remove_strays

MOST_JSON_BYTES, MOST_JSON_CONTAINERS = 2**23, 200_000
"""Limits of a JSON document: in memory it takes up to 20 times its bytes, more if it has many
lists and objects."""


def open_for_reading(
    path: str | os.PathLike[str], most: int | None = None, *, pipes: bool = False
) -> BinaryIO:
    """Open a file, and remove temporary files of killed writers from its folder.

    Args:
        path: the file.
        most: largest allowed size in bytes; None for any.
        pipes: allow pipes and devices, whose size is not known.

    Raises:
        OSError: if it cannot be opened, or is no regular file.
        ValueError: if it is larger.
    """
    remove_strays(os.path.dirname(path) or ".")
    if not pipes and not stat.S_ISREG(mode := os.stat(path).st_mode):
        code = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
        reason = os.strerror(code) if stat.S_ISDIR(mode) else "not a regular file"
        raise OSError(code, reason, os.fspath(path))
    file = open(path, "rb")  # noqa: SIM115  # the caller closes it
    size = os.fstat(file.fileno()).st_size
    if most is not None and size > most:
        file.close()
        raise ValueError(f"it has {size:,} bytes; expected at most {most:,}")
    return file


def read_bytes(path: str | os.PathLike[str], most: int, *, pipes: bool = False) -> bytes:
    """Return the content of a file, as `open_for_reading` opens it.

    Raises:
        OSError: if it cannot be read, or is no regular file.
        ValueError: if it is larger.
    """
    with open_for_reading(path, most, pipes=pipes) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"it has more than {most:,} bytes")
    return content


def parse_json(text: str | bytes) -> Any:
    """Return a JSON document of moderate size.

    Raises:
        ValueError: if it is no JSON, too large or nested too deeply.
    """
    check_json_size(text)
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None


def check_json_size(text: str | bytes) -> None:
    """Check that `parse_json` accepts the size of a document.

    Raises:
        ValueError: if it does not.
    """
    if len(text) > MOST_JSON_BYTES:
        raise ValueError(
            f"a JSON document of {len(text):,} bytes; expected at most {MOST_JSON_BYTES:,}"
        )
    marks: Any = "[{" if isinstance(text, str) else (b"[", b"{")
    count = sum(text.count(mark) for mark in marks)
    if count > MOST_JSON_CONTAINERS:
        raise ValueError(
            f"a JSON document of {count:,} lists and objects; expected at most "
            f"{MOST_JSON_CONTAINERS:,}"
        )


class BoundedReads:
    """Binary file that refuses to read more than a limit at once.

    `zipfile` reads a directory of the declared length, which may be any, in one call.

    Args:
        file: the file, open for reading.
        most: largest number of bytes of one call.
    """

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file, self._most = file, most
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable
        self.close = file.close

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes.

        Raises:
            ValueError: if more than the limit is asked for.
        """
        if size > self._most:
            raise ValueError(f"a part of {size:,} bytes; expected at most {self._most:,}")
        content = self._file.read(self._most + 1 if size < 0 else size)
        if len(content) > self._most:
            raise ValueError(f"a part of more than {self._most:,} bytes")
        return content
