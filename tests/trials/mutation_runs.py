"""Runs of tests on copies of the checkout: which functions a test calls, and who kills a mutant.

Each run is a forked child of a process that has loaded the libraries, in a copy of its own. Nothing
is compiled (`NUMBA_DISABLE_JIT=1`): a compiled caller cannot hide an edited rule of another file,
no mutant waits for a compiler, and compiled rules are seen to be called. Tests that are too slow
then, or fail, take no part.
"""

from __future__ import annotations

import math
import os
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from cProfile import Profile
from functools import cache
from importlib.util import cache_from_source
from multiprocessing import connection, get_context
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

import hypothesis
import pytest

from .mutation_operators import MODULE, Mutant

TEST_SECONDS = 3.0
"""CPU seconds of a test, with the trace of its calls, beyond which it takes no part."""

EXTRA_SECONDS, SLOWER = 20.0, 3.0
"""A mutant is stopped after these CPU seconds and so many times what its tests need without it."""

WALL_SECONDS, WALL_SLOWER = 300.0, 30.0
"""A run is stopped after these seconds and so many times its CPU seconds, should it sleep."""

MEMORY = 16 * 2**30
"""Bytes of address space of a run."""

UNCOPIED = {"__pycache__", "build", "dist", "results", ".git", ".hypothesis"}
"""Names that are not copied with the checkout; nor are caches and virtual environments."""

OPTIONS = (
    *("-q", "--tb=no", "--no-header", "-p", "no:cacheprovider"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)

KILLED, SURVIVED, TIMEOUT = "killed", "survived", "timeout"


class Reach(NamedTuple):
    """A test, and the functions that it calls."""

    seconds: float  # of CPU, with the trace
    calls: frozenset[str]  # "path::qualified name"


class Batch(NamedTuple):
    """Tests that one session runs, the cheap ones of each file first."""

    files: tuple[str, ...]
    tests: Mapping[str, float]  # id -> CPU seconds


class Result(NamedTuple):
    """Result of a mutant."""

    status: str  # KILLED, SURVIVED or TIMEOUT
    test: str = ""  # the test that failed; "" if a file could not be imported


# -- in the child ----------------------------------------------------------------------------------


class PlainHypothesis:
    """Pytest plugin that lets Hypothesis stop at the first failure, however slow the machine is."""

    def pytest_configure(self) -> None:
        """Change the settings, after the tests have set theirs."""
        hypothesis.settings.register_profile(
            "mutants",
            hypothesis.settings(),
            phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        hypothesis.settings.load_profile("mutants")


class TraceCalls(PlainHypothesis):
    """Pytest plugin that records the functions that each passing test calls.

    Args:
        root: the copy of the checkout.
        watched: the files whose functions are recorded, from the root.
    """

    def __init__(self, root: Path, watched: frozenset[str]) -> None:
        self.reach: dict[str, tuple[float, list[str]]] = {}
        self._root, self._watched = os.path.realpath(root), watched
        self._profile = Profile()
        self._failed: set[str] = set()
        self._slow: set[str] = set()  # test functions
        self._name = cache(self._uncached_name)
        signal.signal(signal.SIGPROF, _give_up)

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Skip a test that was too slow with other parameters."""
        if _function(item) in self._slow:
            pytest.skip("too slow")

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Trace a test, its fixtures included."""
        self._profile.clear()
        began = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, TEST_SECONDS, TEST_SECONDS)
        self._profile.enable(subcalls=False, builtins=False)
        yield
        self._profile.disable()
        signal.setitimer(signal.ITIMER_PROF, 0)
        seconds = time.process_time() - began
        if seconds >= TEST_SECONDS:
            self._slow.add(_function(item))
        if item.nodeid not in self._failed:
            codes = (entry.code for entry in self._profile.getstats())
            names = {self._name(code) for code in codes if isinstance(code, CodeType)} - {""}
            self.reach[item.nodeid] = round(seconds, 4), sorted(names)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Leave out tests that fail or are skipped."""
        if not report.passed:
            self._failed.add(report.nodeid)

    def _uncached_name(self, code: CodeType) -> str:
        path = os.path.relpath(os.path.realpath(code.co_filename), self._root)
        return f"{path}::{code.co_qualname}" if path in self._watched else ""


def _function(item: pytest.Item) -> str:
    return item.nodeid.partition("[")[0]


def _give_up(number: int, frame: Any) -> None:
    pytest.fail("too slow")


class ChosenTests(PlainHypothesis):
    """Pytest plugin that runs chosen tests."""

    def __init__(self, batch: Batch) -> None:
        self.failed = ""
        self._batch = batch

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Select and sort the tests."""
        place = {name: number for number, name in enumerate(self._batch.files)}
        chosen = [item for item in items if item.nodeid in self._batch.tests]
        items[:] = sorted(
            chosen,
            key=lambda item: (place[item.nodeid.split("::")[0]], self._batch.tests[item.nodeid]),
        )

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the first failure."""
        if report.failed:
            self.failed = self.failed or report.nodeid


def trace_file(root: Path, file: str, watched: frozenset[str]) -> dict[str, Any]:
    """Run a test file; return id -> CPU seconds and called functions of each test that passes."""
    plugin = TraceCalls(root, watched)
    pytest.main([*OPTIONS, file], plugins=[plugin])
    return plugin.reach


def try_batches(root: Path, batches: list[Batch]) -> tuple[str, str]:
    """Run the tests of the batches until one fails; return the parts of a `Result`."""
    for batch in batches:
        plugin = ChosenTests(batch)
        code = pytest.main([*OPTIONS, "-x", *batch.files], plugins=[plugin])
        if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            return KILLED, plugin.failed
    return SURVIVED, ""


def failing_tests(root: Path, batch: Batch) -> list[str]:
    """Return those tests of a batch that fail."""

    class Failing(ChosenTests):
        names: list[str] = []  # noqa: RUF012  # of this call

        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            if report.failed:
                self.names.append(report.nodeid)

    plugin = Failing(batch)
    code = pytest.main([*OPTIONS, *batch.files], plugins=[plugin])
    broken = code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    return [*batch.tests] if broken else plugin.names


def _run_in_copy(
    send: connection.Connection, copy: Path, original: Path, seconds: float, work: Any, args: Any
) -> None:
    """Call a function in a copy of the checkout, and send what it returns."""
    try:
        _enter(copy, original, seconds)
        send.send((work(copy, *args), ""))
    except BaseException:  # of the trial itself; pytest catches those of the tests
        send.send((None, traceback.format_exc()))


def _enter(copy: Path, original: Path, seconds: float) -> None:
    """Let this process use a copy of the checkout, and limit it."""
    os.setsid()  # so that it is stopped with its own children
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with (copy.parent / f"{copy.name}.log").open("w") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(seconds), math.ceil(seconds) + 5))
    os.chdir(copy)
    sys.path[:] = [str(copy), *(each for each in sys.path if not _is_inside(each, original))]
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # most of the time of a short run
    os.environ["PYTHONPATH"] = str(copy)
    os.environ["NUMBA_CACHE_DIR"] = str(copy.parent / "compiled")
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        is_tests = name.partition(".")[0] == "tests"  # a namespace, which has no file
        if is_tests or (isinstance(file, str) and _is_inside(file, original)):
            del sys.modules[name]


def _is_inside(path: str, root: Path) -> bool:
    """Return whether a path belongs to the checkout, but not to a virtual environment in it."""
    place = Path(path).absolute()
    return place.is_relative_to(root) and not place.is_relative_to(sys.prefix)


# -- in the parent ---------------------------------------------------------------------------------


class Task(NamedTuple):
    """Work for a child.

    Attributes:
        subject: what it is about, given back with the answer.
        work: function of the copy's folder and `args`; it returns plain data.
        seconds: CPU seconds after which it is stopped.
        mutant: the edit of the copy meanwhile.
    """

    subject: Any
    work: Callable[..., Any]
    args: tuple[Any, ...]
    seconds: float
    mutant: Mutant | None = None


class Slot:
    """A copy of the checkout and the child that runs there."""

    def __init__(self, root: Path, copy: Path) -> None:
        self._root, self._copy = root, copy
        shutil.copytree(root, copy, symlinks=True, ignore=_uncopied)
        self.task: Task | None = None
        self._original = b""  # of the edited file
        self._process: Any = None
        self._receive: Any = None
        self._until = 0.0

    def start(self, task: Task) -> None:
        """Start a task."""
        if task.mutant is not None:
            self._original = (self._copy / task.mutant.path).read_bytes()
            self._write(task.mutant, task.mutant.apply(self._original))
        context = get_context("fork")
        self._receive, send = context.Pipe(duplex=False)
        args = (send, self._copy, self._root, task.seconds, task.work, task.args)
        self._process = context.Process(target=_run_in_copy, args=args)
        self._process.start()
        send.close()
        self.task, self._until = task, time.monotonic() + WALL_SECONDS + WALL_SLOWER * task.seconds

    def poll(self) -> tuple[Any] | None:
        """Return the answer in a tuple if the task has ended; (None,) if it was stopped."""
        answer = None
        is_alive = self._process.is_alive()  # before the look for an answer, after which it ends
        if self._receive.poll():
            with suppress(EOFError):
                answer, error = self._receive.recv()
                if error:
                    raise RuntimeError(f"the trial failed in a child:\n{error}")
        elif is_alive and time.monotonic() < self._until:
            return None
        self.stop()
        return (answer,)

    def stop(self) -> None:
        """End the child and its children, and undo the edit."""
        if self.task is None:
            return
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            self._process.kill()
        self._process.join()
        self._receive.close()
        mutant, self.task = self.task.mutant, None
        if mutant is not None:
            self._write(mutant, self._original)

    @property
    def handle(self) -> Any:
        """What becomes ready with the answer."""
        return self._receive

    def _write(self, mutant: Mutant, text: bytes) -> None:
        path = self._copy / mutant.path
        path.write_bytes(text)
        # Stored bytecode is told by size and second: two mutants may have both in common.
        Path(cache_from_source(path)).unlink(missing_ok=True)


def _uncopied(folder: str, names: list[str]) -> set[str]:
    found = {name for name in names if name in UNCOPIED or name.endswith(("_cache", ".egg-info"))}
    return found | {name for name in names if Path(folder, name, "pyvenv.cfg").exists()}


def run_tasks(slots: list[Slot], tasks: Iterable[Task]) -> Iterator[tuple[Task, Any]]:
    """Run tasks in several copies at once; yield each with its answer, None if it was stopped."""
    waiting, idle = iter(tasks), list(slots)
    try:
        while True:
            while idle and (task := next(waiting, None)) is not None:
                slot = idle.pop()
                slot.start(task)
            busy = [slot for slot in slots if slot.task is not None]
            if not busy:
                return
            connection.wait([slot.handle for slot in busy], timeout=1.0)
            for slot in busy:
                task = slot.task
                answer = slot.poll()
                if answer is not None:
                    idle.append(slot)
                    yield task, answer[0]  # type: ignore[misc]
    finally:
        for slot in slots:
            slot.stop()


def mirrored(path: str, tests: Iterable[str]) -> set[str]:
    """Return the test files that mirror a source: `tests/FOLDER/test_MODULE*.py`."""
    folder, name = os.path.split(path)
    start = os.path.join("tests", folder, f"test_{name.removesuffix('.py')}")
    return {file for file in tests if file.startswith(start)}


def batches_of(mutant: Mutant, reach: Mapping[str, Reach], seconds: float) -> list[Batch]:
    """Return the tests that call a mutated function, in the order in which they are to run.

    First those that mirror the source, then files with many of them that are cheap. Code outside
    functions is run by every test that calls any function of the file.

    Args:
        mutant: the mutant.
        reach: id -> what a test calls.
        seconds: of CPU that the tests may need in all; what is beyond is left out.
    """
    name = f"{mutant.path}::{mutant.function}"
    start = f"{mutant.path}::"
    whole = mutant.function == MODULE or not any(name in each.calls for each in reach.values())
    by_file: dict[str, dict[str, float]] = {}
    for test, each in reach.items():
        if name in each.calls or (whole and any(call.startswith(start) for call in each.calls)):
            by_file.setdefault(test.split("::")[0], {})[test] = each.seconds
    first = mirrored(mutant.path, by_file)

    def price(file: str) -> tuple[bool, float]:
        return file not in first, (sum(by_file[file].values()) + 1.0) / len(by_file[file])

    batches: list[Batch] = []
    files: list[str] = []
    chosen: dict[str, float] = {}
    left, sizes = seconds, iter((max(len(first), 1), 4))
    size = next(sizes)
    for number, file in enumerate(order := sorted(by_file, key=price)):
        for test in sorted(by_file[file], key=by_file[file].__getitem__):
            if by_file[file][test] <= left:
                left -= by_file[file][test]
                chosen[test] = by_file[file][test]
        files.append(file)
        if len(files) == size or number == len(order) - 1:
            batches.append(Batch(tuple(files), chosen))
            files, chosen, size = [], {}, next(sizes, 1000)
    return [batch for batch in batches if batch.tests]
