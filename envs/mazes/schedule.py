"""Schedule of the changes that are known in advance, and the mazes of the book.

The clock counts the steps of an environment over all its episodes. A schedule's text form is its
layouts one below the other, each later one after a line ``@ STEP``: the world step from which it
holds. The step taken when the clock shows STEP is the first one in the new layout. ``@ episode N``
counts episodes instead. Other changes may follow on that line, and the layout may be left out::

    @ 3000 slip_probability=0.3 goal_reward=2
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from dynamaze.common.configuration import fields_repr
from dynamaze.common.validation import (
    checked_choice,
    checked_integer,
    checked_number,
    did_you_mean,
    naming,
    shown,
)

from ..timing.timeline import TimedChange, is_composed, pairs_of, read_changes
from ..timing.times import EPISODE, At, read_time, unit_name
from .layout import (
    DEFAULT_REWARDS,
    LEGEND,
    MAX_CELLS,
    Cell,
    Layout,
    LayoutError,
    Rewards,
    text_rows,
)

MAX_PHASES = 5000
"""Phases of a text; each takes some tenths of a millisecond to read."""

LayoutLike = str | Sequence[str] | npt.NDArray[np.str_] | Path | Layout
ChangeLike = LayoutLike | Mapping[str, Any]
LayoutArgument = Union[LayoutLike, "Schedule", Mapping[str, Any]]  # a class below
ChangesLike = Mapping[int | str, ChangeLike] | Iterable[tuple[int | str, ChangeLike]]
TimedChangesLike = ChangesLike | TimedChange | Iterable[tuple[int | str, ChangeLike] | TimedChange]

REWARD_FIELDS = {f"{name}_reward": name for name in Rewards._fields}
NUMERIC_CHANGES = (*REWARD_FIELDS, "slip_probability")
CHANGEABLE = ("layout", "start", "goal", *NUMERIC_CHANGES)
"""The keys of a change."""


@dataclass(frozen=True, repr=False)
class Schedule:
    """Layouts of the phases of a maze and the times at which they begin.

    Attributes:
        layouts: one for each phase, all of the same shape.
        steps: the world step at which each phase begins; the first is 0, and they increase.
        by_episode: True if `steps` counts episodes instead of world steps.

    Raises:
        LayoutError: if the shapes differ, or the steps do not increase from 0.
    """

    __repr__ = fields_repr

    layouts: tuple[Layout, ...]
    steps: tuple[int, ...] = (0,)
    by_episode: bool = False

    def __post_init__(self) -> None:
        if len(self.layouts) != len(self.steps) or not self.layouts or self.steps[0] != 0:
            raise LayoutError(
                f"{len(self.layouts)} layouts beginning at steps {self.steps}; "
                "expected as many steps as layouts, the first 0"
            )
        for before, step in zip(self.steps, self.steps[1:], strict=False):
            if step <= before:
                raise LayoutError(
                    f"a change at {self.unit} {step}; expected one after {self.unit} {before}"
                )
        for step, layout in zip(self.steps, self.layouts, strict=True):
            check_shape(layout, self.layouts[0], f"the layout at {self.unit} {step}")

    @property
    def unit(self) -> str:
        """The unit of `steps`, in words."""
        return unit_name(self.by_episode)

    @classmethod
    def from_text(
        cls,
        text: str | Sequence[str],
        rewards: Rewards = DEFAULT_REWARDS,
        slip_probability: float = 0.0,
    ) -> Schedule:
        """Read the text form: a layout, or several with ``@ STEP`` lines between them.

        Args:
            text: one string with newlines, or a sequence of rows.
            rewards: the rewards of a step before the first change of them.
            slip_probability: the slip probability before the first change of it.

        Raises:
            LayoutError: naming the phase, row and column; rows are counted from 0, in a later
                phase's layout from the line after its ``@``.
            TypeError: for anything but text or rows.
        """
        phases: list[tuple[int, str, list[Any]]] = [(0, "", [])]  # first row, heading, rows
        for number, row in enumerate(text_rows(text)):
            if isinstance(row, str) and row.startswith("@"):
                if len(phases) > MAX_PHASES:
                    raise LayoutError(f"more than {MAX_PHASES:,} phases")
                phases.append((number, row, []))
            else:
                phases[-1][2].append(row)
        schedule = _Phases(Layout.from_text(phases[0][2], rewards, slip_probability))
        for phase, (number, heading, rows) in enumerate(phases[1:], start=1):
            try:
                when, numbers = _read_heading(heading)
                change = {**numbers, "layout": rows} if rows or not numbers else numbers
                schedule.add(when, change)
            except (TypeError, ValueError) as error:
                raise LayoutError(
                    f"layout phase {phase}, which begins at row {number}: {error}"
                ) from None
        return schedule.to_schedule()

    def to_text(self) -> str:
        """Return the text form.

        ``Schedule.from_text`` reads it back, given the first phase's rewards and slip probability.
        """
        blocks = [self.layouts[0].to_text()]
        word = f"{EPISODE} " if self.by_episode else ""
        for step, before, layout in zip(
            self.steps[1:], self.layouts, self.layouts[1:], strict=False
        ):
            numbers = "".join(
                f" {name}={value!r}"
                for name, value in layout_numbers(layout).items()
                if value != layout_numbers(before)[name]
            )
            blocks.append(f"@ {word}{step}{numbers}\n{layout.to_text()}")
        return "\n".join(blocks)

    @cached_property
    def times(self) -> At:
        """The times of the changes, from one phase to the next."""
        return At(self.steps[1:])

    def phase_at(self, step: int) -> int:
        """Return the number of the phase at a world step, or in an episode."""
        return self.times.count(step)

    def check_phase(self, phase: object) -> int:
        """Return the number of a phase after checking it; negative ones count from the end.

        Raises:
            ValueError: for one that does not exist; TypeError for anything but a number.
        """
        return checked_integer("phase", phase, -len(self.layouts), len(self.layouts) - 1)


def read_schedule(
    layout: LayoutArgument,
    changes: ChangesLike | None = None,
    *,
    rewards: Rewards = DEFAULT_REWARDS,
    slip_probability: float = 0.0,
) -> Schedule:
    """Return the schedule that the environments' arguments ``layout`` and ``changes`` describe.

    Args:
        layout: text of a maze (or of several phases), a list of rows, a file's path, the name of
            a maze of the book ("dyna", "blocking", "shortcut"), a `Layout` or a `Schedule`; or a
            mapping of one of the first four, as "layout", and of the rewards and the slip
            probability that it has of its own.
        changes: time -> change (see `apply_change`), as a mapping or as pairs. A time is a world
            step (a string of digits is accepted, as JSON makes them) or the text "episode N".
            None keeps the phases of ``layout``, {} keeps its first only.
        rewards: the rewards of a step; a `Layout` object keeps its own.
        slip_probability: the slip probability; a `Layout` object keeps its own.

    Raises:
        LayoutError: for an invalid maze or schedule.
        ValueError: for an unknown key, or a number outside its range.
        TypeError: for anything but the above.
    """
    given: Any = layout
    if isinstance(layout, Mapping):
        with naming("layout"):
            given, rewards, slip_probability = _own_numbers(layout, rewards, slip_probability)
    schedule = given if isinstance(given, Schedule) else _phases(given, rewards, slip_probability)
    if changes is None:
        return schedule
    phases, pairs = _Phases(schedule.layouts[0]), pairs_of(changes)
    with naming("changes"):
        for when, change in sorted(pairs, key=lambda pair: _read_time(pair[0])):
            phases.add(when, change)
    return phases.to_schedule()


def read_timed_changes(
    layout: LayoutArgument,
    changes: TimedChangesLike | None = None,
    *,
    rewards: Rewards = DEFAULT_REWARDS,
    slip_probability: float = 0.0,
) -> tuple[Schedule, tuple[TimedChange, ...]]:
    """Return the schedule of an environment's arguments, and its changes of other times.

    Where all changes come at given times, they are the schedule's. Otherwise the schedule has one
    phase, and all changes are of the second kind: each is applied to the layout that it finds.

    Args:
        layout: as of `read_schedule`.
        changes: the same, or a `TimedChange`, or a list of them (see `timing.timeline`).
        rewards: as of `read_schedule`.
        slip_probability: the same.

    Raises:
        LayoutError: for an invalid maze or schedule, or a change that does not fit the first one.
        ValueError: for an unknown key, or a number outside its range.
        TypeError: for anything but the above.
    """
    numbers: Any = {"rewards": rewards, "slip_probability": slip_probability}
    if not is_composed(changes):
        return read_schedule(layout, changes, **numbers), ()  # type: ignore[arg-type]  # checked
    with naming("changes"):
        timed = read_changes(changes)
    if all(isinstance(each.times, At) for each in timed):
        return read_schedule(layout, _pairs_at(timed), **numbers), ()
    first = read_schedule(layout, {}, **numbers)
    for each in timed:
        with naming("changes"):
            apply_changes(first.layouts[0], each.changes)
    return first, timed


def apply_changes(layout: Layout, changes: Iterable[ChangeLike]) -> Layout:
    """Return the layout after several changes.

    Raises:
        LayoutError, ValueError, TypeError: as `apply_change`.
    """
    for change in changes:
        layout = apply_change(layout, change)
    return layout


def _pairs_at(timed: Iterable[TimedChange]) -> list[tuple[int | str, ChangeLike]]:
    """Return the pairs of time and change of changes at given times."""
    pairs: list[tuple[int | str, ChangeLike]] = []
    for each in timed:
        word = f"{EPISODE} " if each.by_episode else ""
        for number, step in enumerate(each.times.steps):  # type: ignore[attr-defined]  # `At`
            change = each.changes[number % len(each.changes)]
            pairs.append((f"{word}{step}" if word else step, change))
    return pairs


def apply_change(layout: Layout, change: ChangeLike) -> Layout:
    """Return the layout after a change.

    Args:
        layout: the layout before it.
        change: another layout in any form, with the rewards and the slip probability of the one
            before unless it is a `Layout` object; or a mapping with the keys "layout", "start" and
            "goal" (a cell, or a list of cells), "goal_reward", "step_reward", "wall_reward",
            "slip_probability".

    Raises:
        LayoutError: for an invalid maze, or one of another shape.
        ValueError: for an unknown key, or a number outside its range.
        TypeError: for anything but a change.
    """
    parts = dict(change) if isinstance(change, Mapping) else {"layout": change}
    if not parts:
        raise ValueError(f"a change of nothing; expected one of {', '.join(CHANGEABLE)}")
    for name in parts:
        checked_choice("change", name, CHANGEABLE)
    given = {name: parts[name] for name in NUMERIC_CHANGES if name in parts}
    numbers: dict[str, Any] = {**layout_numbers(layout), **given}
    slip = checked_number("slip_probability", numbers["slip_probability"], 0, 1)
    rewards = Rewards(**{short: numbers[name] for name, short in REWARD_FIELDS.items()})
    changed = layout
    if "layout" in parts:
        changed = _phases(parts["layout"], rewards, slip).layouts[0]
        check_shape(changed, layout, "the changed layout")
    keeps_own_numbers = isinstance(parts.get("layout"), Layout)
    if not keeps_own_numbers or given:
        changed = replace(changed, rewards=rewards, slip_probability=slip)
    if "start" in parts or "goal" in parts:
        changed = replace(
            changed,
            starts=_cells("start", parts["start"]) if "start" in parts else changed.starts,
            goals=_cells("goal", parts["goal"]) if "goal" in parts else changed.goals,
        )
    return changed


def check_shape(layout: Layout, expected: Layout, what: str) -> None:
    """Check that two layouts have the same shape.

    Raises:
        LayoutError: if they are not.
    """
    if layout.walls.shape != expected.walls.shape:
        raise LayoutError(
            f"{what} has shape {layout.walls.shape}; "
            f"expected {expected.walls.shape} as at the beginning"
        )


class _Phases:
    """Phases of a schedule that is read change by change."""

    def __init__(self, first: Layout) -> None:
        self._layouts, self._steps, self._by_episode = [first], [0], False

    def add(self, when: int | str, change: ChangeLike) -> None:
        """Add a change, which is applied to the last layout."""
        by_episode, step = _read_time(when)
        if len(self._steps) > 1 and by_episode != self._by_episode:
            raise LayoutError(
                "changes at world steps and changes at episodes; expected one kind of them"
            )
        unit, before = unit_name(by_episode), self._steps[-1]
        if step <= before:
            raise LayoutError(f"a change at {unit} {step}; expected one after {unit} {before}")
        with naming(f"after the change at {unit} {step}"):
            self._layouts.append(apply_change(self._layouts[-1], change))
        self._steps.append(step)
        self._by_episode = by_episode

    def to_schedule(self) -> Schedule:
        """Return the schedule."""
        return Schedule(tuple(self._layouts), tuple(self._steps), self._by_episode)


def _phases(layout: Any, rewards: Rewards, slip: float) -> Schedule:
    if isinstance(layout, Layout):
        return Schedule((layout,))
    if isinstance(layout, Path):
        return _from_file(layout, rewards, slip)
    if isinstance(layout, str):
        return _from_string(layout, rewards, slip)
    return Schedule.from_text(layout, rewards, slip)


def _own_numbers(
    layout: Mapping[str, Any], rewards: Rewards, slip: float
) -> tuple[Any, Rewards, float]:
    """Return the layout of a mapping, and its own numbers in place of the given ones."""
    if isinstance(layout.get("layout", layout), Mapping | Layout | Schedule):
        raise TypeError(
            f"{shown(layout)}; expected a mapping with a maze as text, rows or a file as 'layout'"
        )
    for name in layout:
        checked_choice("key", name, ("layout", *NUMERIC_CHANGES))
    own = {
        short: checked_number(name, layout[name])
        for name, short in REWARD_FIELDS.items()
        if name in layout
    }
    slip = checked_number("slip_probability", layout.get("slip_probability", slip), 0, 1)
    return layout["layout"], rewards._replace(**own), slip


def _from_string(text: str, rewards: Rewards, slip: float) -> Schedule:
    if text in PRESETS:
        return Schedule.from_text(PRESETS[text], rewards, slip)
    if "\n" in text or not set(text) - set(LEGEND):
        return Schedule.from_text(text, rewards, slip)
    if _is_file(text):
        return _from_file(Path(text), rewards, slip)
    raise LayoutError(
        f"layout={shown(text)} is neither a maze's rows nor a file nor one of {sorted(PRESETS)}"
        f"{did_you_mean(text, PRESETS)}"
    )


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except OSError:  # for example: too long for a name
        return False


def _from_file(path: Path, rewards: Rewards, slip: float) -> Schedule:
    from dynamaze.common.reading import read_bytes  # most layouts come from no file

    try:
        # An editor's mark may come first.
        text = read_bytes(path, 8 * MAX_CELLS).decode("utf-8-sig")
        return Schedule.from_text(text, rewards, slip)
    except OSError as error:
        raise LayoutError(f"layout file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise LayoutError(f"{path} is not text; expected rows of '#', '.', 'S', 'G'") from None
    except LayoutError as error:
        raise LayoutError(f"{path}: {error}") from None
    except ValueError as error:  # too large, or no name of a file
        raise LayoutError(f"layout file {path} cannot be read: {error}") from None


def layout_numbers(layout: Layout) -> dict[str, float]:
    """Return a layout's rewards and slip probability, by the environments' argument names."""
    rewards = {name: getattr(layout.rewards, short) for name, short in REWARD_FIELDS.items()}
    return {**rewards, "slip_probability": layout.slip_probability}


def _cells(name: str, cells: Any) -> tuple[Cell, ...]:
    """Return the cells of an argument that holds one cell or several."""
    try:
        several = cells if np.ndim(cells[0]) else [cells]
        return tuple(
            (checked_integer("row", row), checked_integer("column", col)) for row, col in several
        )
    except (IndexError, KeyError, TypeError, ValueError):
        raise LayoutError(
            f"{name}={shown(cells)}; expected a cell (row, col) or a list of cells"
        ) from None


def _read_heading(line: str) -> tuple[str, dict[str, float]]:
    """Return the time and the numbers that change, which follow the ``@`` of a line."""
    words = line[1:].split()
    numbers: dict[str, float] = {}
    while words and "=" in words[-1]:
        name, _, value = words.pop().partition("=")
        checked_choice("change", name, NUMERIC_CHANGES)
        if name in numbers:
            raise LayoutError(f"the line {shown(line)}: {name} twice; expected it once")
        try:
            numbers[name] = float(value)
        except ValueError:
            raise LayoutError(
                f"the line {shown(line)}: {name}={shown(value)}; expected a number"
            ) from None
    return " ".join(words), numbers


def _read_time(when: Any) -> tuple[bool, int]:
    """Return a time as `read_time` does; another error is a `LayoutError`."""
    try:
        return read_time(when)
    except ValueError as error:
        raise LayoutError(str(error)) from None


# The mazes of Sutton & Barto (2018), chapter 8. All have 6 rows and 9 columns. Checked by
# breadth-first search: shortest paths have 14 steps (dyna), 10 then 16 (blocking) and 16 then 10
# (shortcut).

# Example 8.1, p. 164 (figure 8.2).
DYNA = """\
.......#G
..#....#.
S.#....#.
..#......
.....#...
.........
"""

# Example 8.2, p. 166 (figure 8.4): after 1000 time steps the short path is blocked.
BLOCKING = """\
........G
.........
.........
########.
.........
...S.....
@ 1000
........G
.........
.........
.########
.........
...S.....
"""

# Example 8.3, p. 167 (figure 8.5): after 3000 time steps a shorter path opens.
SHORTCUT = """\
........G
.........
.........
.########
.........
...S.....
@ 3000
........G
.........
.........
.#######.
.........
...S.....
"""

PRESETS = {"dyna": DYNA, "blocking": BLOCKING, "shortcut": SHORTCUT}
