"""What every single environment shares: clock, world, observation, notices, pictures, state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium import logger, spaces

from dynamaze.common.arrays import BoolArray, FloatArray

from .change_info import Notice
from .changing_maze import Course, World
from .mazes.layout import Cell, Layout
from .mazes.schedule import ChangeLike, Schedule, apply_change
from .observations.basic import Observation, keys_of
from .options import read_life, read_options, read_world_step
from .render import METADATA, Picture, scene_of, world_scene
from .rendering.overlays import Overlays
from .rendering.scene import Scene
from .rendering.window import RenderWindow

UNIFORM_BLOCK = 256
"""Random numbers are drawn from `np_random` in blocks: one call of NumPy for 256 steps."""

CHECKERS_STEPS = 20
"""Who checks an environment seeds every reset, too, but not after a life of so many steps."""

TRAIL_LENGTH = 64

NO_CELLS: BoolArray = np.zeros((0, 0), dtype=np.bool_)
"""Where nobody asks which cells have changed."""


class MazeEnv(gym.Env[Any, Any], ABC):
    """One agent in one world, whose maze may change while it lives.

    Args:
        course: how the maze begins and changes.
        observation: the form of observation.
        action_space: what the agent may do.
        nowhere: the agent's state before the first reset.
        notice: what is told of a change: "none", "change" or "cells".
        notice_in: where: "info" or "observation".
        render_mode: one of `metadata["render_modes"]`, or None.

    Raises:
        ValueError: for a notice or a render mode that does not exist.
    """

    metadata: dict[str, Any] = METADATA  # Gymnasium's own declaration

    def __init__(
        self,
        course: Course,
        *,
        observation: Observation,
        action_space: spaces.Space[Any],
        nowhere: Any,
        notice: str,
        notice_in: str,
        render_mode: str | None,
    ) -> None:
        self._course = course
        self._world = World(course)
        self._observation = observation
        self._observe: Any = observation.one  # None passes the state on as it is
        self._notice = Notice(notice, notice_in, (course.first.rows, course.first.cols))
        self._picture = Picture(render_mode, self.metadata["render_modes"])
        self.render_mode = render_mode
        self.observation_space = self._notice.space(observation.space)
        self.action_space = action_space
        self._is_watched = render_mode is not None
        self._is_plain = (  # nothing is told but the clock and the phase
            self._notice.silent and course.levels is None and course.random_changes is None
        )
        self._slot = 0  # of the maze, in what the observation holds
        self._state = nowhere  # of the agent
        self._uniforms: list[float] = []  # drawn but not used yet, the next one last
        self._started = False  # whether the world lives, or waits for its first random numbers
        self._unchanged_steps = 0  # of lives that a seeded reset ended before the first change
        self._warns_of_restarts = True  # until it has, or who uses it is seen to know the clock
        self._trail: list[Any] = []  # where the agent was, oldest first
        self._overlays = Overlays()
        self._world_step = 0
        self._settle()

    # -- what each kind of maze says for itself ------------------------------------------------

    @property
    @abstractmethod
    def agent(self) -> Cell | None:
        """The cell (row, col) where the agent stands; None before the first reset."""

    @abstractmethod
    def _state_at(self, start: Cell) -> Any:
        """The state of an agent that begins an episode on a start."""

    def _write_state(self) -> Any:
        """The agent's state as plain numbers that JSON can hold."""
        return self._state

    @abstractmethod
    def _read_state(self, state: dict[str, Any]) -> Any:
        """The agent's state in what `get_state` returned.

        Raises:
            ValueError: if it is not one of this maze.
        """

    def _mark(self) -> Any:
        """What the trail keeps of the agent's place."""
        return self.agent

    # -- the Gymnasium interface ---------------------------------------------------------------

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: seeds the random numbers and starts the world's clock again; None leaves both.
            options: `{"world_step": k}` sets the clock, `{"level": k}` chooses the maze where
                mazes are generated.

        Returns:
            The observation and the information.

        Raises:
            ValueError: for an unknown option, or a number outside its range.
        """
        read = read_options(options, self._course.levels)
        super().reset(seed=seed)
        if seed is not None:
            self._uniforms = []
            self._note_restart()
            self._world_step = 0
            self._world.restart(self._uniform)
        elif not self._started:
            self._world.seek(0, self._uniform)
        self._started = True
        if read.world_step is not None:
            self.world_step = read.world_step
        self._world.begin_episode(self._world_step, self._uniform, read.level)
        self._settle()
        starts = self.layout.starts
        start = starts[int(self._uniform() * len(starts)) if len(starts) > 1 else 0]
        self._state = self._state_at(start)
        self._trail = []
        if self.render_mode == "human":
            self.render()
        return self._seen()

    def _catch_up(self) -> None:
        """Change what is due now, and draw what is watched: the seldom part of a step."""
        if self._world_step == self._next_change:
            self._world.advance(self._world_step, self.agent, self._uniform)
            self._settle()
        if self._is_watched:
            self._trail = [*self._trail[1 - TRAIL_LENGTH :], self._mark()]
            if self.render_mode == "human":
                self.render()

    def _seen(self) -> tuple[Any, dict[str, Any]]:
        """The observation and the information of now."""
        observe = self._observe
        observation = self._state if observe is None else observe(self._state, self._slot)
        info = {"world_step": self._world_step, "phase": self._phase}
        if self._is_plain:
            return observation, info
        info.update(self._more_info)
        return self._tell(observation, info), info

    @property
    def compute_reward(self) -> Callable[[npt.ArrayLike, npt.ArrayLike, Any], Any]:
        """`compute_reward(achieved_goal, desired_goal, info)`, where observations are goals.

        Raises:
            AttributeError: where they are not; learners tell by it what kind of task this is.
        """
        if "achieved_goal" not in keys_of(self.observation_space):
            raise AttributeError(
                "compute_reward of an environment without goals; expected observation='goal'"
            )
        return self._reward_of_goals

    def _reward_of_goals(
        self, achieved_goal: npt.ArrayLike, desired_goal: npt.ArrayLike, info: Any
    ) -> Any:
        """What a step to one place would pay if another were the goal (for HER).

        Args:
            achieved_goal: (..., 2) cells (row, col), or positions in units of cells.
            desired_goal: (..., 2) the same.
            info: not used.

        Returns:
            (...) float64: the reward of the goal where the two are in the same cell, otherwise
            that of a step.
        """
        cells = np.floor(np.asarray(achieved_goal)) == np.floor(np.asarray(desired_goal))
        rewards = self.layout.rewards
        return np.where(cells.all(axis=-1), rewards.goal, rewards.step)

    def render(self) -> Any:
        """A picture of the maze, in the form that `render_mode` says.

        Returns:
            "rgb_array": uint8 (height, width, 3). "ansi": rows of text, the agent as `A`;
            "ansi_color": the same in colours; "svg": a drawing. "human": None, the window is drawn.
        """
        return self._picture.render(self.scene(), self.metadata)

    def close(self) -> None:
        """Close the window, if there is one; a later `reset` opens it again."""
        self._picture.close()

    # -- the world, and how to change it -------------------------------------------------------

    @property
    def schedule(self) -> Schedule:
        """The changes that are known beforehand: which layout holds when."""
        return self._course.schedule

    @property
    def course(self) -> Course:
        """All that settles how the maze begins and changes."""
        return self._course

    @property
    def world(self) -> World:
        """The maze's life so far."""
        return self._world

    @property
    def layout(self) -> Layout:
        """The maze as it is now."""
        return self._world.layout

    @property
    def slip_probability(self) -> float:
        """The probability that a step goes to one of the perpendicular directions."""
        return self.layout.slip_probability

    @property
    def world_step(self) -> int:
        """The clock: real steps of the whole life so far. May be set."""
        return self._world_step

    @world_step.setter
    def world_step(self, world_step: int) -> None:
        self._world_step = read_world_step(world_step)
        self._started = True
        self._warns_of_restarts = False
        self._world.seek(self._world_step, self._uniform)
        self._settle()

    @property
    def phase(self) -> int:
        """The number of changes so far."""
        return self._phase

    @property
    def level(self) -> int | None:
        """The level of the present maze; None where mazes are not generated."""
        return self._world.level

    def change(self, change: ChangeLike) -> None:
        """Change the maze now, in the middle of an episode or between two.

        The agent stays where it is; a goal that appears under it ends the episode at the next
        step. Changes that are due later still come; a reset with a seed undoes all.

        Args:
            change: another layout of the same shape, as text, rows, a file or a `Layout`; or what
                changes, such as `{"slip_probability": 0.3}`, `{"goal": (0, 3)}`,
                `{"layout": rows, "goal_reward": 2}`.

        Raises:
            LayoutError: for a maze that cannot be, or one of another shape.
            ValueError: for something that cannot change.
        """
        self._world.change(apply_change(self.layout, change), self._world_step)
        self._settle()
        if self.render_mode == "human" and self.agent is not None:
            self.render()

    # -- saving and restoring ------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """All that the future depends on, as plain numbers that JSON can hold.

        The time limit of `gym.make` is a wrapper's and not in it.
        """
        return {
            "state": self._write_state(),
            "world_step": self._world_step,
            "world": self._world.get_state(),
            "started": self._started,
            "uniforms": self._uniforms[::-1],
            "rng": self.np_random.bit_generator.state,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned; the same actions then give the same numbers.

        Raises:
            ValueError: if it is not such a state; the environment is then as it was.
        """
        world_step, uniforms = read_life(state)
        own = self._read_state(state)
        self._world = self._world.restored(state.get("world", {}), world_step)
        self._started = bool(state.get("started", True))
        self.np_random.bit_generator.state = state["rng"]
        self._uniforms = uniforms[::-1]
        self._state, self._world_step = own, world_step
        self._trail = []
        self._settle()

    # -- for the vector environment ------------------------------------------------------------

    @property
    def observer(self) -> Observation:
        """The form of observation."""
        return self._observation

    @property
    def notice(self) -> Notice:
        """What is told of changes, and where."""
        return self._notice

    def adopt(self, generator: np.random.Generator, seed: int | None) -> None:
        """Draw from another generator from now on, and say that it got this seed."""
        self._np_random, self._np_random_seed = generator, seed

    def enter(
        self,
        *,
        world: World,
        started: bool,
        slot: int,
        state: Any,
        world_step: int,
        uniforms: FloatArray,
    ) -> None:
        """Live on in another world, whose maze the observation knows by another slot."""
        self._world, self._slot, self._started = world, slot, started
        self._state, self._world_step = state, world_step
        self._uniforms = uniforms[::-1].tolist()
        self._settle()

    def leave(self) -> tuple[Any, bool, list[float]]:
        """What `enter` took and may have changed: state, started, and uniforms, next one first."""
        return self._state, self._started, self._uniforms[::-1]

    # -- pictures and keys ---------------------------------------------------------------------

    def scene(self) -> Scene:
        """What a picture of this moment shows, as data."""
        return world_scene(self._world, self._world_step)._replace(
            agent=self.agent, trail=tuple(self._trail), overlays=self._overlays
        )

    @property
    def overlays(self) -> Overlays:
        """What is laid over the picture."""
        return self._overlays

    @overlays.setter
    def overlays(self, overlays: Overlays) -> None:
        overlays.check((self.layout.rows, self.layout.cols))
        self._overlays = overlays

    def set_overlay(self, **arrays: Any) -> None:
        """Lay arrays over the picture: what an agent knows, beside what is true.

        Args:
            **arrays: by name; None takes an overlay away. S = rows * cols states, and wherever
                (S, ...) fits, (rows, cols, ...) does; NaN draws nothing. `values` (S,): a heat
                map. `q` (S, 4): four triangles. `policy` (S, 4), probabilities: arrows. `visits`
                (S,): counts. `belief` (rows, cols), bool or probabilities: the walls a model
                believes in, against the true ones. `planned` (n, 2), pairs of state and action,
                the newest last: the planner's last updates. `tree` (S,): visits of a search tree.
                `trail`, `changed`: whether they are shown. `value_range`: the ends of the colours
                of `values` and `q`.

        Raises:
            ValueError: for a name that does not exist, or an array that does not fit; TypeError
                for what is no array of numbers. The picture then stays as it was.
        """
        shape = (self.layout.rows, self.layout.cols)
        self._overlays = self._overlays.replace(shape, **arrays)

    def phase_scene(self, phase: int) -> Scene:
        """What a picture of the empty maze of any phase shows, as data."""
        return scene_of(self.schedule.layouts[phase])

    @property
    def window(self) -> RenderWindow | None:
        """The window of render mode "human"; None while there is none."""
        return self._picture.window

    # -- inside --------------------------------------------------------------------------------

    def _uniform(self) -> float:
        """The next random number in [0, 1)."""
        if not self._uniforms:
            self._uniforms = self.np_random.random(UNIFORM_BLOCK)[::-1].tolist()
        return self._uniforms.pop()

    def _settle(self) -> None:
        """Take over what the world may have changed."""
        world = self._world
        self._phase, self._next_change = world.phase, world.next_change
        self._observation.load(self._slot, world.layout)
        self._more_info: dict[str, Any] = {}  # beside the clock and the phase
        if self._course.levels is not None:
            self._more_info["level"] = world.level
        if self._course.random_changes is not None:
            self._more_info["skipped_changes"] = world.skipped

    def _tell(self, observation: Any, info: dict[str, Any]) -> Any:
        """Tell of changes in the information or in the observation, as it is asked for."""
        world, notice = self._world, self._notice
        if notice.silent:
            return observation
        changed = world.news is not None
        cells = world.changed_cells if notice.cells else NO_CELLS
        world.news = None
        info.update(notice.info(changed, cells))
        return notice.observation(observation, int(changed), cells)

    def _note_restart(self) -> None:
        """Warn once who seeds every reset: the clock starts again, so nothing ever changes."""
        changes = self.schedule.steps[1:]
        if not self._warns_of_restarts or not changes or self.schedule.by_episode:
            return
        self._unchanged_steps += self._world_step
        waits = self._phase == 0 and self._unchanged_steps < max(changes[0], CHECKERS_STEPS)
        if self._phase == 0 and not waits:
            logger.warn(
                f"this world has lived {self._unchanged_steps} steps and never reached its first "
                f"change at world step {changes[0]}, for reset(seed=...) starts its clock again; "
                "seed the first reset only, or set the clock by reset(options={'world_step': k})"
            )
        self._warns_of_restarts = waits
