"""Which layout holds at which world step.

The world's clock counts the real steps over the agent's whole life. A schedule's text form is its
layouts one below the other, each later one after a line ``@ STEP``: the world step from which it
holds. The step taken when the clock shows STEP is the first one in the new layout.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dynamaze.messages import did_you_mean

from .layout import DEFAULT_REWARDS, LEGEND, MAX_CELLS, Layout, LayoutError, Rewards
from .presets import PRESETS

LAST_STEP = 2**62
"""A later change would not fit the clock."""

LayoutLike = str | Sequence[str] | Path | Layout
ChangesLike = Mapping[int | str, LayoutLike] | Iterable[tuple[int | str, LayoutLike]]


@dataclass(frozen=True)
class Schedule:
    """The layouts of a world's phases and the world steps at which they begin.

    Attributes:
        layouts: one for each phase, all of the same shape.
        steps: the world step at which each phase begins; the first is 0, and they increase.

    Raises:
        LayoutError: if the shapes differ, or the steps do not increase from 0.
    """

    layouts: tuple[Layout, ...]
    steps: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        if len(self.layouts) != len(self.steps) or not self.layouts or self.steps[0] != 0:
            raise LayoutError(
                f"{len(self.layouts)} layouts beginning at steps {self.steps}; "
                "expected as many steps as layouts, the first 0"
            )
        for before, step in zip(self.steps, self.steps[1:], strict=False):
            if step <= before:
                raise LayoutError(
                    f"a change at world step {step}; expected one after world step {before}"
                )
        shape = self.layouts[0].walls.shape
        for step, layout in zip(self.steps, self.layouts, strict=True):
            if layout.walls.shape != shape:
                raise LayoutError(
                    f"the layout at world step {step} has shape {layout.walls.shape}; "
                    f"expected {shape} as at the beginning"
                )

    @classmethod
    def from_text(cls, text: str | Sequence[str], rewards: Rewards = DEFAULT_REWARDS) -> Schedule:
        """Read the text form: a layout, or several with ``@ STEP`` lines between them.

        Raises:
            LayoutError: naming the phase, row and column.
        """
        rows = text.strip("\r\n").splitlines() if isinstance(text, str) else list(text)
        layouts: list[list[str]] = [[]]
        steps = [0]
        for row in rows:
            if isinstance(row, str) and row.startswith("@"):
                steps.append(_step(row[1:].strip()))
                layouts.append([])
            else:
                layouts[-1].append(row)
        return cls(
            tuple(
                _in_phase(step, layout, rewards)
                for step, layout in zip(steps, layouts, strict=True)
            ),
            tuple(steps),
        )

    def to_text(self) -> str:
        """The text form; ``Schedule.from_text`` reads it back."""
        first, *rest = self.layouts
        blocks = [first.to_text()]
        for step, layout in zip(self.steps[1:], rest, strict=True):
            blocks.append(f"@ {step}\n{layout.to_text()}")
        return "\n".join(blocks)

    def phase_at(self, world_step: int) -> int:
        """The number of the phase that holds when the clock shows ``world_step``."""
        return bisect_right(self.steps, world_step) - 1


def read_schedule(
    layout: LayoutLike, changes: ChangesLike | None = None, *, rewards: Rewards = DEFAULT_REWARDS
) -> Schedule:
    """The schedule that the environments' arguments ``layout`` and ``changes`` describe.

    Args:
        layout: text of a maze (or of several phases), a list of rows, a file's path, the name of
            a classical maze ("dyna", "blocking", "shortcut"), or a `Layout`.
        changes: world step -> layout, as a mapping (steps may be digits, as JSON makes them) or
            as pairs; None keeps the phases that ``layout`` brings, {} keeps its first only.
        rewards: what a step pays; a `Layout` object keeps its own.

    Raises:
        LayoutError: for a maze or a schedule that cannot be.
        TypeError: for something that is none of the above.
    """
    schedule = _phases(layout, rewards)
    if changes is None:
        return schedule
    later = sorted(
        ((_step(step), _phases(changed, rewards).layouts[0]) for step, changed in _pairs(changes)),
        key=lambda change: change[0],
    )
    return Schedule(
        (schedule.layouts[0], *(changed for _, changed in later)), (0, *(step for step, _ in later))
    )


def _phases(layout: LayoutLike, rewards: Rewards) -> Schedule:
    if isinstance(layout, Layout):
        return Schedule((layout,))
    if isinstance(layout, Path):
        return _from_file(layout, rewards)
    if isinstance(layout, str):
        return _from_string(layout, rewards)
    if isinstance(layout, Sequence):
        return Schedule.from_text(layout, rewards)
    raise TypeError(
        f"layout={layout!r}; expected a maze as text, a list of rows, a file's path or a Layout"
    )


def _from_string(text: str, rewards: Rewards) -> Schedule:
    if text in PRESETS:
        return Schedule.from_text(PRESETS[text], rewards)
    if "\n" in text or not set(text) - set(LEGEND):
        return Schedule.from_text(text, rewards)
    if _is_file(text):
        return _from_file(Path(text), rewards)
    raise LayoutError(
        f"layout={text!r} is neither a maze's rows nor a file nor one of {sorted(PRESETS)}"
        f"{did_you_mean(text, PRESETS)}"
    )


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except OSError:  # for example: too long for a name
        return False


def _from_file(path: Path, rewards: Rewards) -> Schedule:
    try:
        size = path.stat().st_size
        if size > 8 * MAX_CELLS:
            raise LayoutError(
                f"{path} has {size:,} bytes; expected a maze of at most {MAX_CELLS:,} cells"
            )
        return Schedule.from_text(path.read_text(encoding="utf-8"), rewards)
    except OSError as error:
        raise LayoutError(f"layout file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise LayoutError(f"{path} is not text; expected rows of '#', '.', 'S', 'G'") from None
    except LayoutError as error:
        raise LayoutError(f"{path}: {error}") from None


def _in_phase(step: int, rows: Sequence[str], rewards: Rewards) -> Layout:
    try:
        return Layout.from_text(rows, rewards)
    except LayoutError as error:
        if step == 0:
            raise
        raise LayoutError(f"after the change at world step {step}: {error}") from None


def _pairs(changes: ChangesLike) -> list[tuple[int | str, LayoutLike]]:
    try:
        pairs = list(changes.items() if isinstance(changes, Mapping) else changes)
        return [(step, layout) for step, layout in pairs]
    except (TypeError, ValueError):
        raise TypeError(
            f"changes={changes!r}; expected a mapping or pairs of world step and layout"
        ) from None


def _step(step: int | str) -> int:
    try:
        if isinstance(step, float | bool):
            raise TypeError
        number = int(step)
    except (TypeError, ValueError):
        raise LayoutError(f"a change at world step {step!r}; expected a whole number") from None
    if not 1 <= number <= LAST_STEP:
        raise LayoutError(f"a change at world step {number}; expected 1 to {LAST_STEP}")
    return number
