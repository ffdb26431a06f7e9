"""Report of a mutation trial, and the reasons of survivors that behave as the original does."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from .mutation_operators import Mutant
from .mutation_runs import SURVIVED, TIMEOUT, Result


class Reasons:
    """Reasons why mutants behave as the original does."""

    def __init__(self, path: Path) -> None:
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get("mutant", [])
        names = ("file", "function", "before", "after")
        self._reasons: dict[tuple[str, ...], str] = {
            tuple(each[name] for name in names): each["reason"] for each in entries
        }
        self.files = sorted({place[0] for place in self._reasons})

    def of(self, mutant: Mutant) -> str:
        """Return the reason of a mutant; "" without one."""
        return self._reasons.get(_place(mutant), "")

    def unused(self, mutants: Iterable[Mutant]) -> list[tuple[str, ...]]:
        """Return the places, file, function and line before and after, of none of the mutants."""
        return sorted(set(self._reasons) - {_place(mutant) for mutant in mutants})


def _place(mutant: Mutant) -> tuple[str, ...]:
    return mutant.path, mutant.function, mutant.before, mutant.after


class Share(NamedTuple):
    """Killed mutants among some."""

    killed: int
    of: int

    def __str__(self) -> str:
        """Return the share with Wilson's interval."""
        from dynamaze.benchmarks.harness.analysis.intervals import (
            IntervalEstimate,
            format_interval,
            wilson_interval,
        )

        if not self.of:
            return "-"
        interval = wilson_interval(self.killed, self.of)
        return format_interval(IntervalEstimate(*(100 * each for each in interval)), unit="%")


def print_report(results: dict[Mutant, Result], reasons: Reasons) -> Share:
    """Print shares, table and survivors; return the share without explained survivors."""
    survivors = [mutant for mutant, each in results.items() if each.status == SURVIVED]
    equal = [mutant for mutant in survivors if reasons.of(mutant)]
    open_ones = [mutant for mutant in survivors if not reasons.of(mutant)]
    stopped = sum(each.status == TIMEOUT for each in results.values())
    killed = len(results) - len(survivors)
    share = Share(killed, len(results) - len(equal))
    print(f"{len(results)} mutants: {killed} killed, of these {stopped} by the time limit")
    print(f"{len(survivors)} survived: {len(equal)} equal to the original, {len(open_ones)} not")
    print(f"killed: {Share(killed, len(results))}; equal ones left out: {share}\n")
    rows = [("folder", "mutants", "killed", "equal", "share without equal ones [95%]")]
    for folder in sorted({_folder(mutant) for mutant in results}):
        inside = [mutant for mutant in results if _folder(mutant) == folder]
        same, dead = (sum(each in some for each in inside) for some in (equal, survivors))
        dead = len(inside) - dead
        rows.append((folder, len(inside), dead, same, str(Share(dead, len(inside) - same))))  # type: ignore[arg-type]
    for row in rows:
        print("{:32} {:>8} {:>7} {:>6}  {}".format(*row))
    for title, some in (("Survivors", open_ones), ("Equal to the original", equal)):
        print(f"\n{title}: {len(some)}")
        for mutant in sorted(some, key=lambda each: (each.path, each.line)):
            print(describe(mutant), *([f"    {reasons.of(mutant)}"] * (some is equal)), sep="\n")
    return share


def describe(mutant: Mutant) -> str:
    """Return the place and the difference of a mutant."""
    place = f"{mutant.path}:{mutant.line}: {mutant.function} ({mutant.kind})"
    return f"{place}\n  - {mutant.before}\n  + {mutant.after}"


def _folder(mutant: Mutant) -> str:
    return Path(mutant.path).parent.as_posix()
