"""Cache of compiled code in the user's cache folder, under a digest of what it was compiled from.

Numba's own cache lies beside the sources. It fails where these cannot be written, an uninstall
leaves it behind, and it does not notice an edited rule or constant in another file. Here a folder
`VERSION-DIGEST` holds everything that was compiled from one state of the sources:

1. in `$NUMBA_CACHE_DIR/dynamaze` if that is set, else in the user's cache folder;
2. else in a folder of the temporary directory that belongs to this user alone;
3. else nowhere, with one warning.

The key of code that was compiled together with functions or records of another package (such as a
user's model) includes all that Numba compiles in from there: code, constants, globals and called
functions.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import re
import shutil
import stat
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np
from numba.core import config, event
from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    IndexDataCacheFile,
    NullCache,
    _CacheLocator,
)
from platformdirs import user_cache_path

from .compiling import UNSTORED, compilation
from .version import __version__

PACKAGE = __name__.partition(".")[0]

KEPT = 4
"""Number of folders of other states of the sources that are kept when a new one is made."""

OPTIONS = (
    "OPT",
    "LOOP_VECTORIZE",
    "SLP_VECTORIZE",
    "BOUNDSCHECK",
    "DEBUGINFO_DEFAULT",
    "USING_SVML",
    "LLVM_REFPRUNE_PASS",
    "LLVM_REFPRUNE_FLAGS",
)
"""Numba's options that change compiled code and that its own key leaves out."""

INTERPRETED: bool = config.DISABLE_JIT  # type: ignore[attr-defined]  # read from the environment
"""Whether Numba compiles nothing, by `NUMBA_DISABLE_JIT=1`."""

_FOREIGN: set[Callable[..., Any]] = set()
"""Functions outside the package that were compiled by its decorators."""


class _CompilationEvents(event.Listener):
    """Listener of Numba's compilations, those of code that the cache has not."""

    def on_start(self, event: Any) -> None:
        """Record that one begins."""
        compilation.begin()

    def on_end(self, event: Any) -> None:
        """Record that it has ended, also by an error."""
        compilation.end()


event.register("numba:compile", _CompilationEvents())


def cached(dispatcher: Any, name: str = "") -> Any:
    """Attach our cache to a function compiled by Numba, and return the function.

    Args:
        dispatcher: the function.
        name: tells it from one that is compiled from the same function with other options.
    """
    if INTERPRETED:  # it is the plain function, whose integers must wrap around as compiled ones do
        return np.errstate(over="ignore")(dispatcher)
    function = dispatcher.py_func
    depend_on(dispatcher)
    dispatcher._cache = NullCache() if cache_folder() is None else _FunctionCache(function, name)
    return dispatcher


def depend_on(dispatcher: Any) -> None:
    """Let stored code of other packages depend on a compiled function, if it is not ours."""
    function = getattr(dispatcher, "py_func", dispatcher)
    if not _is_ours(function):
        _FOREIGN.add(function)


@cache
def cache_folder() -> Path | None:
    """Return the folder of compiled code of these sources, which exists; None if there is none."""
    failures = []
    for base in _candidates():
        folder = base / f"{__version__}-{sources_digest()}"
        try:
            folder = folder.absolute()
            is_new = not folder.is_dir()
            folder.mkdir(parents=True, exist_ok=True)
            os.utime(folder)  # its last use, by which old ones are removed
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            failures.append(f"{folder}: {error.strerror or error}")
            continue
        if is_new:
            _remove_oldest(base)
        return folder
    warnings.warn(
        f"{UNSTORED}; expected a folder that can be written ({'; '.join(failures)}); set "
        "NUMBA_CACHE_DIR to one",
        RuntimeWarning,
        stacklevel=2,
    )
    return None


@cache
def sources_digest() -> str:
    """Return a digest of all our sources that hold compiled functions.

    The modules of ours that such a source imports count, too: their constants are compiled in.
    """
    texts = {path: path.read_bytes() for path in _sources()}
    chosen = {path for path, text in texts.items() if _COMPILES.search(text)}
    new = chosen
    while new:
        new = {each for path in new for each in _imported(path, texts[path]) if each in texts}
        new -= chosen
        chosen |= new
    digest = hashlib.sha256()
    for path in sorted(chosen):
        digest.update(hashlib.sha256(texts[path]).digest())
    return digest.hexdigest()[:16]


_COMPILES = re.compile(rb"^(?:from|import) .*(?:numba|compiled)", re.MULTILINE)
_IMPORTS = re.compile(rb"^from (\.*)([\w.]*) import ([\w, ]*)", re.MULTILINE)


@cache
def _roots() -> dict[str, Path]:
    """Return the folders of the package and of its sub-packages, which may lie elsewhere."""
    roots = {}
    for name in (PACKAGE, *(f"{PACKAGE}.{part}" for part in _PARTS)):
        spec = find_spec(name)  # loads the package, but not its sub-packages
        if spec is not None and spec.submodule_search_locations:
            roots[name] = Path(spec.submodule_search_locations[0]).resolve()
    return roots


_PARTS = ("envs", "agents", "distill", "benchmarks")


def _sources() -> Iterator[Path]:
    for root in _roots().values():
        for folder, _, files in os.walk(root):  # links are not followed: no file is listed twice
            yield from (Path(folder, file) for file in files if file.endswith(".py"))


def _imported(path: Path, text: bytes) -> Iterator[Path]:
    """Yield the files from which a source of ours may import."""
    for dots, name, imported in _IMPORTS.findall(text):
        parts = name.decode().split(".") if name else []
        if dots:
            base = path.parents[len(dots) - 1]
        elif parts[0] == PACKAGE:
            root = ".".join(parts[:2])
            base = _roots().get(root, _roots()[PACKAGE])
            parts = parts[2:] if root in _roots() else parts[1:]
        else:
            continue
        module = base.joinpath(*parts)
        yield module.with_suffix(".py")
        yield module / "__init__.py"
        yield from (
            module / f"{part.split()[0]}.py" for part in imported.decode().split(",") if part
        )


def _is_ours(function_or_class: Any) -> bool:
    return f"{function_or_class.__module__}.".startswith(f"{PACKAGE}.")


def _candidates() -> Iterator[Path]:
    """Yield the folders in which compiled code may be stored, the preferred one first."""
    if os.environ.get("NUMBA_CACHE_DIR"):
        yield Path(os.environ["NUMBA_CACHE_DIR"], PACKAGE)
        return
    for find in (_user_folder, _private_temporary_folder):
        try:
            yield find()
        except OSError:
            continue


def _user_folder() -> Path:
    """Return the user's cache folder.

    Raises:
        FileNotFoundError: if the user has no home, as one without a name in a container.
    """
    try:
        folder = user_cache_path(PACKAGE, appauthor=False)
    except RuntimeError as error:
        raise FileNotFoundError(str(error)) from error
    if not folder.is_absolute():  # "~/...", of older versions of platformdirs
        raise FileNotFoundError(f"{folder} is not absolute")
    return folder


def _private_temporary_folder() -> Path:
    """Return a folder that no other user can write to: compiled code of others is never loaded.

    Raises:
        OSError: if there is none, or if another user has made one of that name.
    """
    user = os.getuid() if hasattr(os, "getuid") else "user"  # Windows has one for each user
    folder = Path(tempfile.gettempdir(), f"{PACKAGE}-{user}")
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or (
        hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & 0o022)
    ):
        raise PermissionError(f"{folder} belongs to another user")
    return folder


def _remove_oldest(base: Path) -> None:
    """Remove the folders of older sources, all but the latest few."""
    folders = [path for path in base.iterdir() if re.fullmatch(r".+-[0-9a-f]{16}", path.name)]
    folders.sort(key=_last_use, reverse=True)
    for folder in folders[KEPT + 1 :]:
        shutil.rmtree(folder, ignore_errors=True)


def _last_use(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:  # another process has just removed it
        return 0.0


class _Locator(_CacheLocator):
    """Locator of the cache folder, in Numba's interface."""

    def __init__(self, py_file: str) -> None:
        self._py_file = py_file  # Numba's warnings name it

    def get_cache_path(self) -> str:
        return str(cache_folder())

    def get_source_stamp(self) -> str:
        return ""  # the folder's name contains the digest of the sources

    def get_disambiguator(self) -> str:
        return ""

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> _Locator:
        return cls(py_file)


class _CacheImpl(CompileResultCacheImpl):
    """Numba's cache of compile results, with our folder and file names."""

    def __init__(self, py_func: Any) -> None:
        self._lineno = py_func.__code__.co_firstlineno
        self._locator = _Locator(inspect.getfile(py_func))
        name = re.sub(r"[^\w.]", "", f"{py_func.__module__}.{py_func.__qualname__}")
        python = f"py{sys.version_info[0]}{sys.version_info[1]}{getattr(sys, 'abiflags', '')}"
        self._filename_base = f"{name}-{self._lineno}.{python}"


class _Files:
    """Files of compiled code, one pair for each key.

    Numba has one index for each function, in which two processes that compile at once can enter
    each other's code.
    """

    def __init__(self, folder: str, base: str) -> None:
        self._folder, self._base = folder, base

    def load(self, key: Any) -> Any:
        return self._file(key).load(key)

    def save(self, key: Any, data: Any) -> None:
        file = self._file(key)
        file.flush()  # an index that was damaged is not read again
        file.save(key, data)

    def flush(self) -> None:
        """Leave all files: other processes may be using them."""

    def _file(self, key: Any) -> IndexDataCacheFile:
        name = f"{self._base}-{hashlib.sha256(repr(key).encode()).hexdigest()[:16]}"
        return IndexDataCacheFile(self._folder, name, "")


class _FunctionCache(FunctionCache):
    """Numba's cache of one function; errors of reading and writing never make a call fail."""

    _impl_class = _CacheImpl
    _cache_file: Any

    def __init__(self, py_func: Any, name: str = "") -> None:
        super().__init__(py_func)
        base = f"{self._impl.filename_base}.{name}" if name else self._impl.filename_base
        self._cache_file = _Files(self._cache_path, base)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # a damaged file fails in many ways: compile again
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except Exception as error:  # what cannot be pickled fails in many ways
            _warn_unsaved(getattr(error, "strerror", None) or str(error))

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        options = tuple(str(getattr(config, name, None)) for name in OPTIONS)
        return (*super()._index_key(sig, codegen), options, _foreign_digest(self._py_func, sig))


_HAS_WARNED: set[Path | None] = set()


def _warn_unsaved(reason: str) -> None:
    if cache_folder() not in _HAS_WARNED:  # once, whatever the reasons
        _HAS_WARNED.add(cache_folder())
        warnings.warn(f"compiled code was not stored in {cache_folder()}: {reason}", stacklevel=2)


def _foreign_digest(function: Callable[..., Any], signature: Any) -> str:
    """Return a digest of everything outside the package that a compiled function depends on.

    It is "" for our functions on our records. A function or a record of another package may call
    any function that the other package has compiled, so all of them count.
    """
    records = set(_records(getattr(signature, "args", signature)))
    if all(map(_is_ours, (function, *records))):
        return ""
    content = _Content()
    for each in sorted(_FOREIGN | {function} | records, key=_place):
        if not _is_ours(each):
            content.add(each)
            content.add(_file_content(each))
    return content.digest.hexdigest()


def _place(function_or_class: Any) -> tuple[str, str, int]:
    code = getattr(function_or_class, "__code__", None)
    line = code.co_firstlineno if code else 0
    return function_or_class.__module__, function_or_class.__qualname__, line


def _file_content(function_or_class: Any) -> bytes:
    try:
        return Path(inspect.getfile(function_or_class)).read_bytes()
    except (OSError, TypeError):  # of a notebook's cell, or of a string
        return b""


class _Content:
    """Digest of functions with the globals that Numba compiles into them."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self._seen: set[Any] = set()

    def add(self, value: Any, names: Iterable[str] = ()) -> None:
        """Add a value; of a module the attributes of these names."""
        function = getattr(value, "py_func", value)  # of what Numba compiles
        if isinstance(function, FunctionType) and (function is not value or function in _FOREIGN):
            self._add_function(function)
        elif isinstance(value, ModuleType):
            self._write(value.__name__)
            for name in names:
                if hasattr(value, name) and (value, name) not in self._seen:
                    self._seen.add((value, name))
                    self.add(getattr(value, name), names)
        elif isinstance(value, tuple | list):
            self._write(f"{type(value)}, {len(value)} items")
            for item in value:
                self.add(item)
        elif isinstance(value, np.ndarray):
            self._write(f"{value.dtype}, {value.shape}")
            self.digest.update(value.tobytes())
        elif hasattr(value, "__qualname__"):  # classes, and functions that Numba replaces
            self._write(f"{value.__module__}.{value.__qualname__}")
        else:
            self._write(f"{type(value)}, {value!r}")

    def _add_function(self, function: FunctionType) -> None:
        self._write(f"{function.__module__}.{function.__qualname__}")
        if function in self._seen or _is_ours(function):
            return
        self._seen.add(function)
        self._add_code(function.__code__, function.__globals__)
        self.add(function.__defaults__)
        for cell in function.__closure__ or ():
            self.add(cell.cell_contents)

    def _add_code(self, code: CodeType, known: dict[str, Any]) -> None:
        self.digest.update(code.co_code)
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                self._add_code(constant, known)
            else:
                self._write(repr(constant))
        for name in code.co_names:
            self._write(name)
            if name in known:
                self.add(known[name], code.co_names)

    def _write(self, text: str) -> None:
        self.digest.update(f"{text}\n".encode())


def _records(types: Iterable[Any]) -> Iterator[type]:
    """Yield the NamedTuple classes of a signature, nested ones too."""
    for each in types:
        if hasattr(each, "instance_class"):
            yield each.instance_class
        if isinstance(getattr(each, "types", None), Iterable):
            yield from _records(each.types)
