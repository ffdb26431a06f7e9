"""Several agents side by side: the same maze with the same changes, and their regret below.

Each agent acts in an environment of its own, made and seeded alike. Random changes, which avoid the
agent, are made the same for all by `environment.with_drawn_changes`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from dynamaze.agents import Step
from dynamaze.common.palette import GREEN, ORANGE, PURPLE, SKY_BLUE, VERMILLION, YELLOW, Color
from dynamaze.envs.rendering.scene import Frame

from .curves import HEIGHT, ColoredCurve, axes_of, paint_curves
from .events import EventLog
from .layout import (
    BOLD,
    LABEL,
    NOTE,
    NOTE_FONT,
    PLAIN,
    STRIP,
    VALUE,
    VALUE_FONT,
    Font,
    TextSurface,
    text_width,
    truncated,
)
from .runs import WatchedRun
from .statistics import format_regret

RUN_COLORS = (ORANGE, SKY_BLUE, GREEN, YELLOW, VERMILLION, PURPLE)
"""Colors of the agents: those of the palette that stand out from a dark background."""

CAPTION = 40  # height of the latest event above all, in pixels
STEP_FONT: Font = (BOLD, 14)
FIELD_FONT: Font = (PLAIN, 13)
HEADER = 52  # pixels above each picture
LEGEND = 24  # height of the legend below the pictures, in pixels
GAP = 14  # pixels around the pictures
FIELD_GAP = 14  # pixels between two fields of the header
REGRET_TITLE = "regret: discounted return lost so far, over world steps"


class Comparison:
    """Runs of several agents that take their steps together.

    Args:
        *runs: the runs, one for each color at most.
        legend: what the overlays mean; "" for no legend.
        span: last step of the regret's chart; None if it grows with the run.
        top: largest regret of the chart; None if it grows with the run.

    Attributes:
        runs: the runs.
        title: agents and environment, in words.
        events: log of what happened, such as changes of the maze.

    Raises:
        ValueError: for fewer than 2 runs, or more than there are colors.
    """

    def __init__(
        self,
        *runs: WatchedRun,
        legend: str = "",
        span: int | None = None,
        top: float | None = None,
    ) -> None:
        if not 2 <= len(runs) <= len(RUN_COLORS):
            raise ValueError(f"{len(runs)} agents; expected 2 to {len(RUN_COLORS)} side by side")
        self.runs = runs
        self.title = f"{_listed([run.name for run in runs])} in {runs[0].env_id}"
        self.events = EventLog(runs)
        self._legend, self._span, self._top = legend, span, top
        self._chart: Frame | None = None  # the latest

    # -- steps ---------------------------------------------------------------------------------

    def steps(self) -> Iterator[tuple[Step, ...]]:
        """Take one step of each agent at a time, without end."""
        return zip(*(run.steps() for run in self.runs), strict=False)

    def add(self, step: tuple[Step, ...]) -> None:
        """Add a step of each agent."""
        for run, taken in zip(self.runs, step, strict=True):
            run.add(taken)
        self.events.add(step)

    def show_latest(self) -> None:
        """Show the latest steps in the views."""
        for run in self.runs:
            run.show_latest()

    def keep_snapshots(self, keep: bool) -> None:
        """Set whether the ends of episodes are recorded to be shown."""
        for run in self.runs:
            run.keep_snapshots(keep)

    def fields(self) -> list[tuple[str, str]]:
        """Return no pairs for the status strip: the world step stands above the pictures."""
        return []

    def note(self) -> str:
        """Return the title: the latest event stands above the pictures."""
        return self.title

    def summary(self) -> str:
        """Return one line about each run."""
        return "\n".join(filter(None, (run.summary() for run in self.runs)))

    # -- pictures ------------------------------------------------------------------------------

    def room(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the largest (width, height) of each picture if all must fit a size."""
        return room_of_each(len(self.runs), size)

    def compose(self, pictures: Sequence[Frame], *, still: bool = False) -> Frame:
        """Return the pictures side by side with the latest event above and the regret below.

        Args:
            pictures: one of each run.
            still: leave the chart of the regret as it was drawn last.
        """
        high = max(picture.shape[0] for picture in pictures)
        wide = GAP + sum(picture.shape[1] + GAP for picture in pictures)
        if self._chart is None or not still or self._chart.shape[1] != wide:
            self._chart = self._paint_regret(wide)
        bands = [
            self._paint_caption(wide),
            self._paint_pictures(pictures, high, wide),
            *([_paint_legend(self._legend, wide)] if self._legend else []),
            self._chart,
        ]
        return np.concatenate(bands)

    def frame(self, shown: Collection[str]) -> Frame:
        """Return the picture of the latest step with the overlays that are shown, by name."""
        self.show_latest()
        for run in self.runs:
            run.view.update_overlays(shown)
        return self.compose([run.view.render() for run in self.runs])

    def _paint_caption(self, width: int) -> Frame:
        surface = TextSurface.plain(width, CAPTION, STRIP)
        step = f"step {self.runs[0].statistics.world_step:,}"
        left = surface.write(step, (GAP, 12), STEP_FONT, VALUE)
        # The event keeps its place while the number grows.
        left = max(left, GAP + text_width("step 0,000", STEP_FONT)) + GAP
        event = truncated(self.events.latest, FIELD_FONT, width - left - GAP)
        surface.write(event, (left, 13), FIELD_FONT, NOTE)
        return surface.frame()

    def _paint_pictures(self, pictures: Sequence[Frame], high: int, wide: int) -> Frame:
        """Return the pictures side by side, each below its header."""
        frame = np.empty((HEADER + high, wide, 3), dtype=np.uint8)
        frame[:] = STRIP
        left = GAP
        for run, color, picture in zip(self.runs, RUN_COLORS, pictures, strict=False):
            height, width = picture.shape[:2]
            frame[:HEADER, left : left + width] = _paint_header(run, color, width)
            frame[HEADER : HEADER + height, left : left + width] = picture
            left += width + GAP
        return frame

    def _paint_regret(self, width: int) -> Frame:
        curves = [run.regret for run in self.runs]
        return paint_curves(
            [ColoredCurve(*pair) for pair in zip(curves, RUN_COLORS, strict=False)],
            width,
            axes_of(curves, self._span, self._top),
            title=REGRET_TITLE,
            marks=self.events.changes,
        )


def room_of_each(count: int, size: tuple[int, int]) -> tuple[int, int]:
    """Return the largest (width, height) of each of a number of pictures side by side.

    Args:
        count: number of pictures.
        size: (width, height) that all must fit, with their headers and the chart.
    """
    width = (size[0] - (count + 1) * GAP) // count
    return max(width, 1), max(size[1] - CAPTION - HEADER - HEIGHT, 1)


def _paint_legend(text: str, width: int) -> Frame:
    """Return a line of text, (LEGEND, width, 3)."""
    surface = TextSurface.plain(width, LEGEND, STRIP)
    surface.write(truncated(text, NOTE_FONT, width - 2 * GAP), (GAP, 6), NOTE_FONT, LABEL)
    return surface.frame()


def _paint_header(run: WatchedRun, color: Color, width: int) -> Frame:
    """Return the name of an agent and its results so far, (HEADER, width, 3)."""
    surface = TextSurface.plain(width, HEADER, STRIP)
    surface.dot((7, 12), 6, color)
    surface.write(truncated(run.name, VALUE_FONT, width - 22), (22, 2), VALUE_FONT, color)
    x = 0
    for label, value in (
        ("reward", f"{run.statistics.total_reward:,.4g}"),
        ("regret", format_regret(run.recorded.total_regret)),
    ):
        x = surface.write(label, (x, 27), FIELD_FONT, LABEL) + 5
        x = surface.write(value, (x, 27), FIELD_FONT, VALUE) + FIELD_GAP
    return surface.frame()


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
