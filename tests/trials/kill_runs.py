"""Trial: SIGKILL of drivers and workers at random moments, until a sweep is done.

One or two drivers at a time run the same sweep into one store. After a random time a driver is
killed, or one of its other processes; then the next driver goes on. It is checked that

1. no process of a killed driver is left after `GRACE_SECONDS`;
2. no stored row is lost or changed by a kill, and none is stored twice;
3. the finished tables are bit-identical to those of a sweep that was not disturbed.

    python tests/trials/kill_runs.py --kills 200
"""

from __future__ import annotations

import argparse
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from dynamaze.benchmarks.harness.analysis.table import Table
from dynamaze.benchmarks.harness.experiment import ExperimentConfig
from dynamaze.benchmarks.harness.running.runner import Runner, Setting
from dynamaze.benchmarks.harness.store.database import Store

GRACE_SECONDS = 5.0
"""Time within which the processes of a killed driver have to end."""

MARK = "DYNAMAZE_KILL_TRIAL"
"""Environment variable by which the processes of a driver are found."""

SETTINGS = 4


@dataclass(frozen=True)
class Sweep(ExperimentConfig):
    """Runs of some milliseconds with random results."""

    name: ClassVar[str] = "kill_trial"
    title: ClassVar[str] = "Kill trial"

    runs: int = 1000
    milliseconds: float = 20.0

    @property
    def settings(self) -> Sequence[Setting]:
        """Equal settings but for their random numbers."""
        return [Setting((index,), self.runs, f"setting {index}") for index in range(SETTINGS)]


def trial(config: Sweep, index: int, number: int) -> Table:
    """Return random numbers after a random time."""
    rng = np.random.default_rng((config.seed, index, number))
    time.sleep(config.milliseconds * rng.exponential() / 1000)
    return {"mean": rng.random(1), "curve": rng.standard_normal((1, 50))}


def drive(path: Path, config: Sweep) -> None:
    """Run the sweep into a store, as a driver does."""
    with Store(path) as store, Runner(workers=2, store=store) as runner:
        runner.run(trial, config)


class Driver:
    """Process that runs the sweep, and the processes that it starts.

    Args:
        path: the store.
        config: the sweep.
    """

    def __init__(self, path: Path, config: Sweep) -> None:
        self._mark = f"{MARK}={os.getpid()}-{time.monotonic_ns()}"
        name, _, value = self._mark.partition("=")
        command = [sys.executable, __file__, "--drive", path, "--runs", config.runs]
        command += ["--seed", config.seed, "--milliseconds", config.milliseconds]
        # Python's own reports of killed resource trackers would hide ours.
        with open(path.with_suffix(".log"), "ab") as log:
            self.process = subprocess.Popen(
                list(map(str, command)), env={**os.environ, name: value}, stderr=log
            )

    def others(self) -> list[int]:
        """Return the living processes that it has started."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            number = int(entry.name)
            with suppress(OSError):
                state = (entry / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
                has_mark = self._mark.encode() in (entry / "environ").read_bytes().split(b"\0")
                if has_mark and state[0] not in "ZX" and number != self.process.pid:
                    found.append(number)
        return found

    def kill(self) -> None:
        """Kill it, and check that all its processes end."""
        self.process.kill()
        self.process.wait()
        began = time.monotonic()
        while left := self.others():
            assert time.monotonic() - began < GRACE_SECONDS, f"processes are left: {left}"
            time.sleep(0.05)

    def end(self) -> None:
        """Kill it and all that it has started."""
        for number in [self.process.pid, *self.others()]:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        self.process.wait()


class KillTrial:
    """Sweep that is disturbed until it is done.

    Args:
        path: the store.
        config: the sweep.
        kills: number of kills, after which the sweep ends undisturbed.
        rng: chooses moments and processes.
        longest: seconds between two kills at most.
    """

    def __init__(
        self, path: Path, config: Sweep, kills: int, rng: np.random.Generator, longest: float = 3.0
    ) -> None:
        self._path, self._config, self._rng, self._longest = path, config, rng, longest
        self._kills = kills
        self.done: Counter[str] = Counter()
        self._known: dict[tuple[Any, ...], tuple[Any, ...]] = {}
        self._drivers: list[Driver] = []

    def run(self) -> None:
        """Run the sweep; raise an AssertionError if rows or processes are not as they must be."""
        try:
            while self.done.total() < self._kills and not self._is_done():
                while len(self._drivers) < 1 + (self._rng.random() < 0.3):
                    self._drivers.append(Driver(self._path, self._config))
                time.sleep(self._rng.uniform(0, self._longest))
                self._kill()
                self.check_rows()
            self._drivers = self._drivers or [Driver(self._path, self._config)]
            for driver in self._drivers:
                driver.process.wait(600)
            assert self._is_done()
            self.check_rows()
        finally:
            for driver in self._drivers:
                driver.end()

    def _is_done(self) -> bool:
        """Tell whether a driver has ended by itself."""
        codes = [driver.process.poll() for driver in self._drivers]
        if not all(code in (None, 0) for code in codes):
            log = self._path.with_suffix(".log").read_text("utf-8", "replace")
            raise AssertionError(f"a driver ended with {codes}:\n{log[-5000:]}")
        return 0 in codes

    def _kill(self) -> None:
        driver = self._drivers[self._rng.integers(len(self._drivers))]
        others = driver.others()
        if driver.process.poll() is not None:
            return
        if others and self._rng.random() < 0.5:
            with suppress(ProcessLookupError):
                os.kill(others[self._rng.integers(len(others))], signal.SIGKILL)
                self.done["worker"] += 1
        else:
            driver.kill()
            self._drivers.remove(driver)
            self.done["driver"] += 1

    def check_rows(self) -> None:
        """Check that what was stored at the last call is still stored, unchanged."""
        rows = stored_rows(self._path)
        assert self._known.items() <= rows.items(), "a stored run was lost or changed"
        self._known = rows


def stored_rows(path: Path) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Return the content of each stored run by group and number."""
    if not path.exists():  # the driver was killed before it made the store
        return {}
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        rows = connection.execute("SELECT * FROM runs").fetchall()
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    keyed = {row[:2]: row for row in rows}
    assert len(keyed) == len(rows), "a run is stored twice"
    return keyed


def stored_tables(path: Path) -> dict[tuple[str, int], Table]:
    """Return all tables of a store by setting and number."""
    with Store(path) as store:
        return {
            (each.group.label, number): table
            for each in store.groups()
            for number, table in store.tables(each.id)
        }


def run_trial(
    folder: Path,
    config: Sweep,
    kills: int,
    rng: np.random.Generator,
    report: Callable[[str], None],
    longest: float = 3.0,
) -> Counter[str]:
    """Disturb sweeps until there were enough kills, and return their numbers.

    Raises:
        AssertionError: if anything was lost, doubled, changed or left behind.
    """
    reference = folder / "reference.sqlite"
    drive(reference, config)
    expected = stored_tables(reference)
    assert len(expected) == SETTINGS * config.runs
    total: Counter[str] = Counter()
    sweep = 0
    while total.total() < kills:
        sweep += 1
        path = folder / f"{sweep}.sqlite"
        kill_trial = KillTrial(path, config, kills - total.total(), rng, longest)
        kill_trial.run()
        np.testing.assert_equal(stored_tables(path), expected)
        total += kill_trial.done
        report(f"{sweep} sweeps of {len(expected)} runs; kills so far: {dict(total)}")
    return total


def report(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def main() -> None:
    """Run the trial, and print the counts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--milliseconds", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest", type=float, default=3.0, help="seconds between two kills")
    parser.add_argument("--drive", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    config = Sweep(runs=options.runs, seed=options.seed, milliseconds=options.milliseconds)
    if options.drive:
        drive(options.drive, config)
        return
    rng = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory() as name:
        run_trial(Path(name), config, options.kills, rng, report, options.longest)
    print("no row lost, doubled or changed; no process left; all tables bit-identical")


if __name__ == "__main__":
    main()
