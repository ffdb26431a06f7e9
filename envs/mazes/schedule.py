"""Schedule of the changes that are known in advance, and the mazes of the book.

The clock counts the steps of an environment over all its episodes. A schedule's text form is its
layouts one below the other, each later one after a line ``@ STEP``: the world step from which it
holds. The step taken when the clock shows STEP is the first one in the new layout. ``@ episode N``
counts episodes instead. Other changes may follow on that line, and the layout may be left out::

    @ 3000 slip_probability=0.3 goal_reward=2
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dynamaze.common.validation import (
    checked_choice,
    checked_integer,
    checked_number,
    did_you_mean,
)

from .layout import DEFAULT_REWARDS, LEGEND, MAX_CELLS, Cell, Layout, LayoutError, Rewards

LAST_STEP = 2**62
"""Later changes would not fit the clock's int64."""

MAX_PHASES = 5000
"""Phases of a text; each takes some tenths of a millisecond to read."""

EPISODE = "episode"
"""Prefix of the number of an episode at which a maze changes."""

LayoutLike = str | Sequence[str] | Path | Layout
ChangeLike = LayoutLike | Mapping[str, Any]
ChangesLike = Mapping[int | str, ChangeLike] | Iterable[tuple[int | str, ChangeLike]]

REWARD_FIELDS = {f"{name}_reward": name for name in Rewards._fields}
NUMERIC_CHANGES = (*REWARD_FIELDS, "slip_probability")
CHANGEABLE = ("layout", "start", "goal", *NUMERIC_CHANGES)
"""The keys of a change."""


@dataclass(frozen=True)
class Schedule:
    """Layouts of the phases of a maze and the times at which they begin.

    Attributes:
        layouts: one for each phase, all of the same shape.
        steps: the world step at which each phase begins; the first is 0, and they increase.
        by_episode: True if `steps` counts episodes instead of world steps.

    Raises:
        LayoutError: if the shapes differ, or the steps do not increase from 0.
    """

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
        return _unit(self.by_episode)

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
            LayoutError: naming the phase, row and column.
        """
        rows = text.strip("\r\n").splitlines() if isinstance(text, str) else list(text)
        headings: list[tuple[str, dict[str, float]]] = []
        blocks: list[list[str]] = [[]]
        for row in rows:
            if isinstance(row, str) and row.startswith("@"):
                if len(blocks) == MAX_PHASES:
                    raise LayoutError(f"more than {MAX_PHASES:,} phases")
                headings.append(_read_heading(row[1:]))
                blocks.append([])
            else:
                blocks[-1].append(row)
        first, *later = blocks
        changes = [
            (when, {**numbers, "layout": block} if block or not numbers else numbers)
            for (when, numbers), block in zip(headings, later, strict=True)
        ]
        return _schedule(Layout.from_text(first, rewards, slip_probability), changes)

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
                for name, value in _numbers(layout).items()
                if value != _numbers(before)[name]
            )
            blocks.append(f"@ {word}{step}{numbers}\n{layout.to_text()}")
        return "\n".join(blocks)

    def phase_at(self, step: int) -> int:
        """Return the number of the phase at a world step, or in an episode."""
        return bisect_right(self.steps, step) - 1


def read_schedule(
    layout: LayoutLike,
    changes: ChangesLike | None = None,
    *,
    rewards: Rewards = DEFAULT_REWARDS,
    slip_probability: float = 0.0,
) -> Schedule:
    """Return the schedule that the environments' arguments ``layout`` and ``changes`` describe.

    Args:
        layout: text of a maze (or of several phases), a list of rows, a file's path, the name of
            a maze of the book ("dyna", "blocking", "shortcut"), or a `Layout`.
        changes: time -> change (see `apply_change`), as a mapping or as pairs. A time is a world
            step (a string of digits is accepted, as JSON makes them) or the text "episode N".
            None keeps the phases of ``layout``, {} keeps its first only.
        rewards: the rewards of a step; a `Layout` object keeps its own.
        slip_probability: the slip probability; a `Layout` object keeps its own.

    Raises:
        LayoutError: for an invalid maze or schedule.
        TypeError: for anything but the above.
    """
    schedule = _phases(layout, rewards, slip_probability)
    return schedule if changes is None else _schedule(schedule.layouts[0], _pairs(changes))


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
    numbers: dict[str, Any] = {**_numbers(layout), **given}
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


def _schedule(first: Layout, changes: Iterable[tuple[int | str, ChangeLike]]) -> Schedule:
    """Return the schedule of successive changes, each applied to the layout before it."""
    times = [(*_read_time(when), change) for when, change in changes]
    units = {by_episode for by_episode, _, _ in times}
    if len(units) > 1:
        raise LayoutError(
            "changes at world steps and changes at episodes; expected one kind of them"
        )
    layouts, steps = [first], [0]
    for by_episode, step, change in times:
        unit = _unit(by_episode)
        if step <= steps[-1]:
            raise LayoutError(f"a change at {unit} {step}; expected one after {unit} {steps[-1]}")
        try:
            layouts.append(apply_change(layouts[-1], change))
        except LayoutError as error:
            raise LayoutError(f"after the change at {unit} {step}: {error}") from None
        steps.append(step)
    return Schedule(tuple(layouts), tuple(steps), by_episode=units == {True})


def _phases(layout: Any, rewards: Rewards, slip: float) -> Schedule:
    if isinstance(layout, Layout):
        return Schedule((layout,))
    if isinstance(layout, Path):
        return _from_file(layout, rewards, slip)
    if isinstance(layout, str):
        return _from_string(layout, rewards, slip)
    if isinstance(layout, Sequence):
        return Schedule.from_text(layout, rewards, slip)
    raise TypeError(
        f"layout={layout!r}; expected a maze as text, a list of rows, a file's path or a Layout"
    )


def _from_string(text: str, rewards: Rewards, slip: float) -> Schedule:
    if text in PRESETS:
        return Schedule.from_text(PRESETS[text], rewards, slip)
    if "\n" in text or not set(text) - set(LEGEND):
        return Schedule.from_text(text, rewards, slip)
    if _is_file(text):
        return _from_file(Path(text), rewards, slip)
    raise LayoutError(
        f"layout={text!r} is neither a maze's rows nor a file nor one of {sorted(PRESETS)}"
        f"{did_you_mean(text, PRESETS)}"
    )


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except OSError:  # for example: too long for a name
        return False


def _from_file(path: Path, rewards: Rewards, slip: float) -> Schedule:
    try:
        size = path.stat().st_size
        if size > 8 * MAX_CELLS:
            raise LayoutError(
                f"{path} has {size:,} bytes; expected a maze of at most {MAX_CELLS:,} cells"
            )
        return Schedule.from_text(path.read_text(encoding="utf-8"), rewards, slip)
    except OSError as error:
        raise LayoutError(f"layout file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise LayoutError(f"{path} is not text; expected rows of '#', '.', 'S', 'G'") from None
    except LayoutError as error:
        raise LayoutError(f"{path}: {error}") from None


def _numbers(layout: Layout) -> dict[str, float]:
    """Return a layout's rewards and slip probability, by the environments' argument names."""
    rewards = {name: getattr(layout.rewards, short) for name, short in REWARD_FIELDS.items()}
    return {**rewards, "slip_probability": layout.slip_probability}


def _cells(name: str, cells: Any) -> tuple[Cell, ...]:
    """Return the cells of an argument that holds one cell or several."""
    try:
        several = cells if isinstance(cells[0], Sequence) else [cells]
        return tuple(
            (checked_integer("row", row), checked_integer("column", col)) for row, col in several
        )
    except (IndexError, KeyError, TypeError, ValueError):
        raise LayoutError(
            f"{name}={cells!r}; expected a cell (row, col) or a list of cells"
        ) from None


def _unit(by_episode: bool) -> str:
    return EPISODE if by_episode else "world step"


def _pairs(changes: ChangesLike) -> list[tuple[int | str, ChangeLike]]:
    """Return the changes in the order of their times."""
    try:
        pairs = list(changes.items() if isinstance(changes, Mapping) else changes)
        pairs = [(when, change) for when, change in pairs]
    except (TypeError, ValueError):
        raise TypeError(
            f"changes={changes!r}; expected a mapping or pairs of world step and layout"
        ) from None
    return sorted(pairs, key=lambda pair: _read_time(pair[0]))


def _read_heading(line: str) -> tuple[str, dict[str, float]]:
    """Return the time and the numbers that change, as they follow the ``@`` of a line."""
    words = line.split()
    numbers: dict[str, float] = {}
    while words and "=" in words[-1]:
        name, _, value = words.pop().partition("=")
        try:
            numbers[name] = float(value)
        except ValueError:
            raise LayoutError(f"the line '@{line}': {value!r}; expected a number") from None
    return " ".join(words), numbers


def _read_time(when: int | str) -> tuple[bool, int]:
    """Return True if a change counts episodes, and the number of its world step or episode."""
    number: Any = when
    words = when.split(maxsplit=1) if isinstance(when, str) else []
    by_episode = words[:1] == [EPISODE]
    unit = _unit(by_episode)
    if by_episode:
        number = words[-1]
    try:
        if isinstance(number, float | bool):
            raise TypeError
        step = int(number)
    except (TypeError, ValueError):
        raise LayoutError(f"a change at {unit} {number!r}; expected a whole number") from None
    if not 1 <= step <= LAST_STEP:
        raise LayoutError(f"a change at {unit} {step}; expected 1 to {LAST_STEP}")
    return by_episode, step


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
