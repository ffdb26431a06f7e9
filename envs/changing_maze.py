"""A maze that changes over the lifetime of an environment.

The single environment has one `ChangingMaze`, the vector environment one for each of its
environments. A step reads only the arrays of `mazes.dynamics`; this code runs where a maze may
change, so that both change by one rule and a step between two changes costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import index
from typing import Any

import numpy as np

from dynamaze.common.arrays import BoolArray
from dynamaze.common.validation import checked_integer, shown

from .change_info import differing_cells
from .maze_config import MazeConfig, layout_from_json, layout_to_json
from .mazes.dynamics import Dynamics
from .mazes.layout import Cell, Layout, LayoutError
from .mazes.random_changes import RandomChanges
from .mazes.schedule import apply_change, check_shape
from .timing.timeline import Timeline
from .timing.times import LAST_STEP, UniformSampler, pending_to_json


class ChangingMaze:
    """The maze of one environment, with its present state.

    Attributes:
        config: the initial maze and its changes.
        layout: the present layout.
        phase: the number of changes so far.
        episode: the number of episodes begun since the clock started, minus one.
        level: the level of the present maze, where mazes are generated.
        run: the number of runs begun since the clock started, minus one, where a level lasts a
            number of steps (`MazeConfig.run_steps`).
        skipped: the number of changes that were skipped because they blocked the goal, or did not
            fit the present layout.
        unreported: the layout before the changes that no observation has reported yet; None if
            all are reported.
        before_change: the layout before the last change; None before the first.
        changed_at: the world step of the last change.
        changed_by_call: True once the environment's `change` was called.
    """

    def __init__(self, config: MazeConfig) -> None:
        self.config = config
        self.layout = config.first
        self.phase = self.skipped = self.changed_at = 0
        self.changed_by_call = False
        self.episode = -1
        self.level: int | None = None
        self.run, self._run_end = -1, 0
        self.unreported: Layout | None = None
        self.before_change: Layout | None = None
        self._timeline = Timeline(config.timeline)
        self._dynamics = config.phases[0]

    @property
    def next_change(self) -> int:
        """The world step of the next change; the end of the clock without one."""
        return self._timeline.next_step

    @property
    def _schedule_phase(self) -> int:
        """The number of the schedule's present phase."""
        return self._timeline.counts[0]

    @property
    def dynamics(self) -> Dynamics:
        """The dynamics of the present layout."""
        if self._dynamics.layout is not self.layout:
            phase = self.config.phases[self._schedule_phase]
            is_phase = phase.layout is self.layout
            self._dynamics = phase if is_phase else self.config.dynamics(self.layout)
        return self._dynamics

    @property
    def changed_cells(self) -> BoolArray:
        """(rows, cols) bool, True where a cell differs from the last reported layout."""
        if self.unreported is None:
            return np.zeros(self.layout.walls.shape, dtype=np.bool_)
        return differing_cells(self.unreported, self.layout)

    # -- clock, episodes and changes -----------------------------------------------------------

    def restart(self, uniform: UniformSampler) -> None:
        """Set the clock to 0 and undo all changes."""
        self.episode, self.run, self.skipped = -1, -1, 0
        self.set_clock(0, uniform)

    def set_clock(self, world_step: int, uniform: UniformSampler) -> None:
        """Set the clock and undo all changes but scheduled ones; draw the next random change.

        The next episode begins a new run.
        """
        schedule = self.config.schedule
        self._timeline.set_clock(world_step, max(self.episode, 0), uniform)
        self.phase = sum(self._timeline.counts)  # as if none had been skipped
        if self.config.levels is None:
            self.layout = schedule.layouts[self._schedule_phase]
        self.unreported = self.before_change = None
        self._run_end = world_step
        if self._schedule_phase and not schedule.by_episode:
            self.before_change = schedule.layouts[self._schedule_phase - 1]
            self.changed_at = schedule.steps[self._schedule_phase]
        if self.config.timed:
            self._apply_past_changes()

    def _apply_past_changes(self) -> None:
        """Apply the known changes of `MazeConfig.timed` that came before the clock was set."""
        for past in self._timeline.past():
            changed = self._changed(past.change)
            if changed is not None:
                self.before_change, self.layout = self.layout, changed
                self.changed_at = 0 if past.by_episode else past.time

    def begin_episode(
        self, world_step: int, uniform: UniformSampler, level: int | None = None
    ) -> None:
        """Begin an episode, in another maze where the configuration says so.

        Args:
            world_step: the clock.
            uniform: draws a random number from [0, 1).
            level: the level, where mazes are generated; None draws one.
        """
        self.episode += 1
        levels = self.config.levels
        for change in self._timeline.due(self.episode, uniform, by_episode=True):
            self._apply(change, world_step, None, uniform)
        if levels is not None and (level is not None or world_step >= self._run_end):
            self.level = levels.draw(uniform) if level is None else level
            self.layout = levels.layout(self.level)
            self.unreported = self.before_change = None
            if self.config.run_steps:
                self._begin_run(world_step, uniform)

    def _begin_run(self, world_step: int, uniform: UniformSampler) -> None:
        """Draw the time of the first change of a run, which begins now."""
        self.run += 1
        self._run_end = world_step + self.config.run_steps
        self._timeline.redraw(world_step, uniform)

    def apply_due_changes(
        self, world_step: int, agent: Cell | None, uniform: UniformSampler
    ) -> None:
        """Apply the changes of world step `next_change`, which the clock shows now.

        Args:
            world_step: the clock.
            agent: the agent's cell; a goal stays reachable from it.
            uniform: draws a random number from [0, 1).
        """
        for change in self._timeline.due(world_step, uniform):
            self._apply(change, world_step, agent, uniform)

    def _apply(
        self, change: Any, world_step: int, agent: Cell | None, uniform: UniformSampler
    ) -> None:
        """Apply a change of the timeline, or skip it."""
        if isinstance(change, RandomChanges):
            changed = change.apply(self.layout, agent, uniform)
        else:
            changed = self._changed(change)
        if changed is None:
            self.skipped += 1
        else:
            self.change(changed, world_step)

    def _changed(self, change: Any) -> Layout | None:
        """Return the layout after a given change; None if it does not fit the present one."""
        if isinstance(change, Layout):  # a phase of the schedule
            return change
        try:
            return apply_change(self.layout, change)
        except LayoutError:
            return None

    def change(self, layout: Layout, world_step: int) -> None:
        """Replace the layout now.

        Raises:
            LayoutError: if it has another shape.
        """
        check_shape(layout, self.layout, "the changed layout")
        if self.unreported is None:
            self.unreported = self.layout
        self.before_change, self.changed_at = self.layout, world_step
        self.layout = layout
        self.phase += 1

    # -- saving and restoring ------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Return everything that the maze's future depends on, as plain data for JSON.

        The keys are those of version 0.1.
        """
        return {
            "phase": self.phase,
            "scheduled": self._schedule_phase,
            "episode": self.episode,
            "level": self.level,
            "skipped": self.skipped,
            "due": None if self._pending is None else pending_to_json(self._pending),
            "layout": None if self.layout == self._unchanged() else layout_to_json(self.layout),
            "unreported": None if self.unreported is None else layout_to_json(self.unreported),
            "changed_by_call": self.changed_by_call,
            **({"run": self.run, "run_end": self._run_end} if self.config.run_steps else {}),
            **({"timed": self._timeline.get_state(self._num_own)} if self.config.timed else {}),
        }

    @property
    def _num_own(self) -> int:
        """The number of entries of the timeline that have keys of their own in the state."""
        return len(self.config.timeline) - len(self.config.timed)

    @property
    def _pending(self) -> Any:
        """The time of the next change of `random_changes`; None without, or before it is drawn."""
        return None if self.config.random_changes is None else self._timeline.pending[1]

    def restored(self, state: Mapping[str, Any], world_step: int) -> ChangingMaze:
        """Return a maze in a state of `get_state`; this one is not changed.

        Args:
            state: a result of `get_state`.
            world_step: the clock.

        Raises:
            ValueError, KeyError, TypeError: if it is not such a state (`options.reading_state`).
        """
        maze = ChangingMaze(self.config)
        maze.phase, maze.skipped = _counter(state, "phase"), _counter(state, "skipped")
        maze.episode = _counter(state, "episode", -1)
        scheduled = self._checked_scheduled_phase(_counter(state, "scheduled"))
        if maze.phase < scheduled:
            raise ValueError(f"phase {maze.phase} after {scheduled} changes")
        maze.level = self._checked_level(state["level"])
        if self.config.run_steps:
            maze.run = _counter(state, "run", -1)
            maze._run_end = checked_integer("run_end", state["run_end"], 0, 2 * LAST_STEP)
        due = self._checked_due(state["due"])
        timed = state["timed"] if self.config.timed else []
        maze._timeline.set_state(
            [[scheduled, None], *due, *timed], world_step, max(maze.episode, 0)
        )
        layout, unreported = state["layout"], state.get("unreported")
        maze.layout = maze._unchanged() if layout is None else self._checked_layout(layout)
        maze.unreported = None if unreported is None else self._checked_layout(unreported)
        # Versions before 0.2 did not store it.
        seems_called = layout is not None or maze.phase > scheduled
        maze.changed_by_call = state.get("changed_by_call", seems_called)
        if not isinstance(maze.changed_by_call, bool):
            raise TypeError(f"changed_by_call={shown(maze.changed_by_call)}; expected a bool")
        if maze.next_change <= world_step < LAST_STEP:
            raise ValueError(
                f"world step {world_step} of a state whose maze changes at {maze.next_change}; "
                "expected an earlier one"
            )
        return maze

    def _unchanged(self) -> Layout:
        """Return the present layout without random changes and without calls of `change`."""
        levels = self.config.levels
        if levels is None or self.level is None:
            return self.config.schedule.layouts[self._schedule_phase]
        return levels.layout(self.level)

    def check_agent(self, cell: Cell) -> None:
        """Check that an agent can have come to a cell.

        Raises:
            ValueError: for a wall that no change has closed.
        """
        config = self.config
        if not self.layout.walls[cell]:
            return
        if config.random_changes is not None or config.timed or self.changed_by_call:
            return  # closed around the agent
        if config.levels is not None or all(
            layout.walls[cell] for layout in config.schedule.layouts
        ):
            raise ValueError(f"an agent in the wall at {cell}; expected a free cell")

    # -- checks of a restored state: ValueError, or what Python raises for another type

    def _checked_scheduled_phase(self, phase: int) -> int:
        known = len(self.config.schedule.layouts)
        if phase >= known:
            raise ValueError(f"phase {phase} of a schedule of {known}")
        return phase

    def _checked_level(self, level: Any) -> int | None:
        if level is not None and self.config.levels is None:
            raise ValueError(f"level {shown(level)} of a maze that is not generated")
        return None if level is None else self.config.levels.check(index(level))  # type: ignore[union-attr]  # checked above

    def _checked_due(self, due: Any) -> list[Any]:
        """Return the entries of the timeline's state for random changes."""
        process = self.config.random_changes
        if (due is None) != (process is None):
            raise ValueError(
                f"the next random change {shown(due)} of a maze "
                f"{'without' if process is None else 'with'} random changes"
            )
        return [] if process is None else [[0, due]]

    def _checked_layout(self, data: Any) -> Layout:
        layout = layout_from_json(data)
        check_shape(layout, self.config.first, "the layout of the state")
        return layout


def _counter(state: Mapping[str, Any], name: str, low: int = 0) -> int:
    return checked_integer(name, state[name], low, LAST_STEP)
