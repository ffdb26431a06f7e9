"""Trial: mutants of the sources, of which the tests must notice nine in ten.

A sample of small edits (`mutation_operators.py`) of the mazes' core, the agents' update rules and
models, the losses and the statistics is drawn. For each the tests run that call the edited
function, the likely ones first, until one fails (`mutation_runs.py`); the sources are edited in
temporary copies only. Printed are the share of mutants that are killed, with Wilson's interval, a
table by folder, and the survivors: first those that nobody has explained, then those that
`equivalent_mutants.toml` explains, which behave as the original does. Mutants that never end
count as killed, and so do those whose file cannot be imported.

    python tests/trials/mutants.py --sample 400 --seed 0
    python tests/trials/mutants.py --known
    python tests/trials/mutants.py --files envs/mazes/layout.py --sample 50

Results are kept in a file of JSON lines: a run that was ended goes on, and after a change of the
tests only the survivors are tried again, with the changed tests. A change of the sources needs
another file. The exit code is 1 if fewer than 90% of the mutants are killed, explained ones left
out, and with `--known` if one survives.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import signal
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

if not __package__:  # started by its path: relative imports work as PEP 366 says
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    __import__("trials")
    __package__ = "trials"

from tqdm import tqdm

from .mutation_operators import Mutant, mutant_of_line, mutants_of
from .mutation_report import Reasons, print_report
from .mutation_runs import (
    EXTRA_SECONDS,
    SLOWER,
    SURVIVED,
    TIMEOUT,
    Batch,
    Reach,
    Result,
    Slot,
    Task,
    batches_of,
    failing_tests,
    run_tasks,
    trace_file,
    try_batches,
)

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]

SOURCES = (
    *(f"envs/{name}.py" for name in ("base", "changing_maze", "generated", "goals", "grid")),
    *(f"envs/{name}.py" for name in ("maze", "options", "vector/base", "vector/grid")),
    *("envs/vector/kernel.py", "envs/mazes/*.py", "envs/generation/*.py", "envs/observations/*.py"),
    *(f"agents/{name}/*.py" for name in ("core", "learners", "linear", "models", "planning")),
    *("agents/values/*.py", "agents/exploration.py"),
    *(f"distill/core/{name}.py" for name in ("losses", "distributions", "gaussian_actions")),
    *(f"benchmarks/harness/analysis/{name}.py" for name in ("intervals", "resampling")),
    *(f"benchmarks/harness/analysis/{name}.py" for name in ("statistics", "summaries")),
)
"""The files that are mutated."""

TESTS = (
    *("tests/golden", "tests/envs", "tests/agents", "tests/distill"),  # the longest file first
    *("tests/benchmarks/harness/analysis", "tests/benchmarks/harness/agent_runs"),
)
"""The folders of the tests that may kill a mutant."""

PACKAGES = ("dynamaze", "envs", "agents", "distill", "benchmarks")

LIBRARIES = ("numba", "gymnasium", "scipy.stats", "torch", "stable_baselines3", "matplotlib.figure")
"""Loaded once, for all children."""

BUDGET = 60.0
"""CPU seconds that the tests of one mutant may need."""

FILE_SECONDS = 1800.0
"""CPU seconds that a test file may need while its calls are traced."""

TARGET = 0.9

ENVIRONMENT = {
    "NUMBA_DISABLE_JIT": "1",
    "SDL_VIDEODRIVER": "dummy",
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
}
"""Variables of the children; libraries read them when they are imported."""


class Records:
    """File of JSON lines with what is known: reach of test files, results of mutants.

    Args:
        path: of the file.
        sources: digest of the sources to which it belongs.

    Raises:
        ValueError: if the file belongs to other sources, or is none of these.
    """

    def __init__(self, path: Path, sources: str) -> None:
        self.files: dict[str, tuple[int, str, dict[str, Reach]]] = {}  # line, digest, tests
        self.results: dict[str, tuple[int, Result]] = {}  # mutant's key -> line, result
        self.sound: set[str] = set()
        self.unsound: set[str] = set()
        self._path, self._number = path, 0
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        whole = text[: text.rfind("\n") + 1]  # the last line may have been cut off by a kill
        try:
            lines = [json.loads(line) for line in whole.splitlines()]
        except json.JSONDecodeError:
            raise ValueError(f"{path} holds no results of mutants; give another file") from None
        if lines and lines[0].get("sources") != sources:
            raise ValueError(f"{path} has results of other sources; remove it or give another file")
        for line in lines:
            self._read(line)
        if not lines or whole != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(whole, encoding="utf-8")
        if not lines:
            self.add(sources=sources)

    def add(self, **line: Any) -> None:
        """Append a line, and read it."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        self._read(json.loads(json.dumps(line)))

    def _read(self, line: dict[str, Any]) -> None:
        self._number += 1
        if "file" in line:
            tests = {
                key: Reach(seconds, frozenset(calls))
                for key, (seconds, calls) in line["tests"].items()
            }
            self.files[line["file"]] = self._number, line["digest"], tests
        elif "mutant" in line:
            self.results[line["mutant"]] = self._number, Result(line["status"], line["test"])
        elif "sound" in line:
            self.sound.update(line["sound"])
            self.unsound.update(line["unsound"])

    def reach(self, after: int = 0) -> dict[str, Reach]:
        """Return the tests of the files that were traced after a line; unsound ones left out."""
        return {
            name: each
            for number, _, tests in self.files.values()
            for name, each in tests.items()
            if number > after and name not in self.unsound
        }

    def result(self, mutant: Mutant) -> Result | None:
        """Return the result of a mutant; None if it has none that a sound test gave."""
        _, result = self.results.get(mutant.key, (0, None))
        return None if result is None or result.test in self.unsound else result

    def line_of_survivor(self, mutant: Mutant) -> int:
        """Return the line from which on tests are new to a mutant."""
        result = self.result(mutant)
        return self.results[mutant.key][0] if result and result.status == SURVIVED else 0


class Trial:
    """Mutation trial of a checkout.

    Args:
        root: the folder of the checkout.
        tests: test files and folders of them, from the root.
        packages: folders whose sources the results depend on.
        records: the file of results.
        jobs: number of copies, and of children at once.

    Raises:
        ValueError: without tests, and for a file of other results.
    """

    def __init__(
        self, root: Path, tests: Sequence[str], packages: Sequence[str], records: Path, jobs: int
    ) -> None:
        self._root, self._jobs = root, jobs
        found = (file for each in tests for file in _files(root, (each, f"{each}/**/test_*.py")))
        self._tests = list(dict.fromkeys(found))
        if not self._tests:
            raise ValueError(f"--tests {' '.join(tests)}: no test files")
        self._sources = _files(root, (f"{folder}/**/*.py" for folder in packages))
        self.records = Records(records, _digest(root, self._sources))

    def mutants(self, patterns: Iterable[str]) -> list[Mutant]:
        """Return all mutants of the files of some patterns."""
        files = _files(self._root, patterns)
        return [each for file in files for each in mutants_of(file, self._read(file))]

    def run(self, mutants: list[Mutant]) -> dict[Mutant, Result]:
        """Return the results of mutants; those that are stored are not tried again."""
        with tempfile.TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True) as folder:
            slots = [Slot(self._root, Path(folder, f"copy-{i}")) for i in range(self._jobs)]
            self._trace(slots)
            self._try(slots, mutants)
            while self._find_unsound(slots, mutants):
                self._try(slots, mutants)
        results = {mutant: self.records.result(mutant) for mutant in mutants}
        return {mutant: result for mutant, result in results.items() if result is not None}

    def _trace(self, slots: list[Slot]) -> None:
        """Find out which functions the tests call, in files that are new or changed."""
        watched = frozenset(self._sources)
        helpers = (file for file in _files(self._root, ("tests/**/*",)) if not _is_test(file))
        common = _digest(self._root, helpers)
        tasks = []
        for file in self._tests:
            digest = _digest(self._root, [file]) + common
            if self.records.files.get(file, (0, ""))[1] != digest:
                tasks.append(Task((file, digest), trace_file, (file, watched), FILE_SECONDS))
        for task, tests in _progress(run_tasks(slots, tasks), len(tasks), "tests"):
            file, digest = task.subject
            self.records.add(file=file, digest=digest, tests=tests or {})

    def _try(self, slots: list[Slot], mutants: list[Mutant]) -> None:
        """Try the mutants without result, and survivors with tests that are new to them."""
        left = [
            each
            for each in mutants
            if (self.records.result(each) or _NONE).status in (SURVIVED, "")
        ]
        whole = self.records.reach()

        def tasks() -> Iterator[Task]:
            for mutant in left:
                line = self.records.line_of_survivor(mutant)
                reach = self.records.reach(line) if line else whole
                batches = batches_of(mutant, reach, BUDGET)
                seconds = sum(sum(batch.tests.values()) for batch in batches)
                limit = EXTRA_SECONDS + SLOWER * seconds
                if batches or not line:
                    yield Task(mutant, try_batches, (batches,), limit, mutant)

        for task, answer in _progress(run_tasks(slots, tasks()), len(left), "mutants"):
            result = Result(*(answer or (TIMEOUT, "")))
            self.records.add(mutant=task.subject.key, status=result.status, test=result.test)

    def _find_unsound(self, slots: list[Slot], mutants: list[Mutant]) -> list[str]:
        """Return tests that killed a mutant, but fail without one, too."""
        results = (self.records.result(mutant) for mutant in mutants)
        names = {each.test for each in results if each and each.test} - self.records.sound
        reach, batches = self.records.reach(), {}
        for name in sorted(names):
            file = name.split("::")[0]
            batches.setdefault(file, {})[name] = reach[name].seconds if name in reach else 1.0
        tasks = [
            Task(
                file,
                failing_tests,
                (Batch((file,), tests),),
                EXTRA_SECONDS + SLOWER * sum(tests.values()),
            )
            for file, tests in batches.items()
        ]
        unsound: list[str] = []
        for task, answer in _progress(run_tasks(slots, tasks), len(tasks), "checks"):
            tests = [*batches[task.subject]]
            failed = tests if answer is None else answer
            self.records.add(sound=sorted({*tests} - {*failed}), unsound=failed)
            unsound += failed
        return unsound

    def _read(self, file: str) -> bytes:
        return (self._root / file).read_bytes()


_NONE = Result("")


def known_mutants(root: Path) -> list[Mutant]:
    """Return the mutants of `known_mutants.toml`."""
    entries = tomllib.loads((FOLDER / "known_mutants.toml").read_text(encoding="utf-8"))["mutant"]
    names = ("function", "before", "after")
    return [
        mutant_of_line(
            each["file"], (root / each["file"]).read_bytes(), *(each[name] for name in names)
        )
        for each in entries
    ]


def _files(root: Path, patterns: Iterable[str]) -> list[str]:
    """Return the files of some patterns, from the root, each once."""
    found = {path for pattern in patterns for path in root.glob(pattern) if path.is_file()}
    return sorted(
        path.relative_to(root).as_posix() for path in found if "__pycache__" not in path.parts
    )


def _is_test(file: str) -> bool:
    return Path(file).name.startswith("test_") or file.startswith("tests/trials/")


def _digest(root: Path, files: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(hashlib.sha256(file.encode()).digest())
        digest.update(hashlib.sha256((root / file).read_bytes()).digest())
    return digest.hexdigest()[:16]


def _progress(items: Iterator[Any], total: int, name: str) -> Iterator[Any]:
    interval = 0.1 if sys.stderr.isatty() else 30.0
    return iter(tqdm(items, total=total, desc=name, mininterval=interval, disable=not total))


# -- command ---------------------------------------------------------------------------------------


def main() -> int:
    """Run the trial; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--sample", type=_count, default=400, help="number of mutants")
    parser.add_argument("--seed", type=_seed, default=0)
    parser.add_argument("--jobs", type=_count, default=2, help="mutants at once, one core each")
    parser.add_argument("--output", type=Path, default=Path("results/mutants.jsonl"))
    parser.add_argument("--files", nargs="+", default=SOURCES, help="patterns, from the root")
    parser.add_argument("--tests", nargs="+", default=TESTS, help="folders or files")
    parser.add_argument("--known", action="store_true", help="try those of known_mutants.toml")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        trial = Trial(ROOT, options.tests, PACKAGES, options.output, options.jobs)
        known = known_mutants(ROOT) if options.known else None
        every = trial.mutants(options.files) if known is None else known
    except (OSError, ValueError) as error:
        parser.error(str(error))
    if not every:
        parser.error(f"--files {' '.join(options.files)}: no mutants")
    order = _load_libraries().default_rng(options.seed).permutation(len(every))
    chosen = every if known is not None else [every[i] for i in order[: options.sample]]
    try:
        results = trial.run(chosen)
    except KeyboardInterrupt:
        print(f"ended; the same command goes on with {options.output}", file=sys.stderr)
        return 130
    print(f"{len(chosen)} of {len(every)} mutants, seed {options.seed}")
    share = print_report(results, Reasons(FOLDER / "equivalent_mutants.toml"))
    print(f"\n{_cpu_seconds():.0f} CPU seconds")
    wanted = 1.0 if options.known else TARGET
    return int(share.killed < wanted * share.of)


def _load_libraries() -> Any:
    """Import what the children need; return `numpy.random`."""
    os.environ.update(ENVIRONMENT)
    for name in LIBRARIES:
        with suppress(ImportError):  # the tests that need it are skipped
            import_module(name)
    return import_module("numpy.random")


def _cpu_seconds() -> float:
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in usage)


def _interrupt(number: int, frame: Any) -> NoReturn:
    raise KeyboardInterrupt


def _whole_number(low: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.strip().isdecimal() or int(text) < low:
            raise argparse.ArgumentTypeError(f"{text!r}; expected a whole number from {low}")
        return int(text)

    return read


_count, _seed = _whole_number(1), _whole_number(0)

if __name__ == "__main__":
    sys.exit(main())
