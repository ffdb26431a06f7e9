"""Base class of the single environments: clock, observations, information, rendering, state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, NamedTuple

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium import logger, spaces
from gymnasium.envs.registration import EnvSpec

from dynamaze.common.arrays import BoolArray
from dynamaze.common.origin import Origin, digest_of, env_name, qualified_name
from dynamaze.common.validation import shown

from .changing_maze import ChangeInfo, ChangingMaze, MazeConfig
from .mazes.layout import Cell, Layout
from .mazes.schedule import ChangeLike, Schedule, apply_change
from .observations import ObservationEncoder, as_entries
from .options import check_world_step, parse_reset_options, parse_saved_state, reading_state
from .render import METADATA, EnvRenderer, maze_scene
from .spec import json_spec

UNIFORM_BLOCK = 256
"""Random numbers are drawn from `np_random` in blocks: one call of NumPy for 256 steps."""

CHECKERS_STEPS = 20
"""Environment checkers seed every reset, too, but after fewer steps than this."""

TRAIL_LENGTH = 64

NO_CELLS: BoolArray = np.zeros((0, 0), dtype=np.bool_)
"""Placeholder where the changed cells are not reported."""


class RestoredState(NamedTuple):
    """Parts of a result of `get_state` after checking them."""

    maze: ChangingMaze
    agent: Any  # the agent's state; that of `no_state` before the first reset
    world_step: int
    started: bool
    uniforms: list[float]  # drawn but not used yet, the next one first
    generator: dict[str, Any]


class AttachedState(NamedTuple):
    """State of one environment of a vector environment, in the form of the single one."""

    maze: ChangingMaze
    agent: Any
    world_step: int
    started: bool
    uniforms: list[float]  # as in `RestoredState`
    trail: list[Any]


class MazeEnv(gym.Env[Any, Any], ABC):
    """Environment of one agent in one maze that may change.

    Args:
        config: the initial maze and its changes.
        observation: the encoder of observations.
        description: the observations and the rules of a step, as plain data, for
            `configuration_digest`.
        action_space: the actions of the agent.
        no_state: the agent's state before the first reset.
        change_info: see `EnvOptions`.
        change_info_in: the same.
        render_mode: the same.

    Raises:
        ValueError: for an unknown `change_info` or render mode, or a maze that does not allow goal
            observations.
    """

    metadata: dict[str, Any] = METADATA  # Gymnasium's own declaration

    kind: ClassVar[str]
    """Name of the rules of a step. Classes that differ only in their arguments share one; a class
    that declares none has its own name."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "kind" not in vars(cls):
            cls.kind = qualified_name(cls)

    def __init__(
        self,
        config: MazeConfig,
        *,
        observation: ObservationEncoder,
        description: Mapping[str, Any],
        action_space: spaces.Space[Any],
        no_state: Any,
        change_info: str = "none",
        change_info_in: str = "info",
        render_mode: str | None = None,
    ) -> None:
        self._config = config
        self._maze = ChangingMaze(config)
        self._description = description
        self._digest = self._name = ""  # for states, made when they are first used
        self._encoder = observation
        self._encode: Any = observation.encode  # None: the state itself is the observation
        shape = (config.first.rows, config.first.cols)
        self._change_info = ChangeInfo(change_info, change_info_in, shape)
        self._renderer = EnvRenderer(render_mode, self.metadata["render_modes"])
        self.render_mode = render_mode
        self.observation_space = self._change_info.extend_space(observation.space)
        self.action_space = action_space
        self.has_goals = "achieved_goal" in as_entries(self.observation_space)
        if self.has_goals:
            from .goals import check_goal_maze

            check_goal_maze(config)
        self._is_watched = render_mode is not None
        self._has_plain_info = (  # the information holds the clock and the phase alone
            self._change_info.is_off and config.levels is None and config.random_changes is None
        )
        self._slot = 0  # of the maze, in the encoder
        self._state = no_state  # of the agent
        self._uniforms: list[float] = []  # drawn but not used yet, the next one last
        self._started = False  # False until the first random numbers of the maze are drawn
        self._unchanged_steps = 0  # of all restarts that were seeded before the first change came
        self._warns_of_restarts = True  # until warned once, the clock is set or the maze changes
        self._trail: list[Any] = []  # the agent's positions, oldest first
        self._overlays: Any = None  # made on first use: a step does not load the renderer
        self._world_step = 0
        self._sync_maze()

    _spec: EnvSpec | None = None
    one_shot_arguments: Mapping[str, Any] = {}
    """The items of arguments that were iterators."""

    @property
    def spec(self) -> EnvSpec | None:
        """The spec of `gym.make`, with its arguments in forms that JSON can hold."""
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        self._spec = json_spec(spec, self.one_shot_arguments)

    # -- to be defined by subclasses -----------------------------------------------------------

    @property
    @abstractmethod
    def agent(self) -> Cell | None:
        """The agent's cell (row, col); None before the first reset."""

    @property
    def agent_pos(self) -> Cell | None:
        """The agent's cell as MiniGrid names it, (x, y): column and row; None before a reset."""
        cell = self.agent
        return None if cell is None else cell[::-1]

    @property
    def width(self) -> int:
        """The number of columns, as in MiniGrid."""
        return self.layout.cols

    @property
    def height(self) -> int:
        """The number of rows, as in MiniGrid."""
        return self.layout.rows

    @abstractmethod
    def _initial_state(self, start: Cell) -> Any:
        """Return the agent's state at the beginning of an episode."""

    def _state_to_json(self) -> Any:
        """Return the agent's state as plain numbers that JSON can hold."""
        return self._state

    @abstractmethod
    def _state_from_json(self, state: Mapping[str, Any], maze: ChangingMaze) -> Any:
        """Return the agent's state that a result of `get_state` holds.

        Raises:
            ValueError: if it is not a state in this maze.
        """

    def _trail_entry(self) -> Any:
        """Return the agent's position as the trail stores it."""
        return self.agent

    # -- the Gymnasium interface ---------------------------------------------------------------

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: seeds the random numbers and restarts the maze's clock; None changes neither.
            options: `{"world_step": k}` sets the clock, `{"level": k}` selects the maze where
                mazes are generated.

        Returns:
            The observation and the information.

        Raises:
            ValueError: for an unknown option, or a number outside its range.
        """
        given = parse_reset_options(options, self._config.levels)
        super().reset(seed=seed)
        if seed is not None:
            self._uniforms = []
            self._warn_about_seeded_resets()
            self._world_step = 0
            self._maze.restart(self._uniform)
        elif not self._started:
            self._maze.set_clock(0, self._uniform)
        self._started = True
        if given.world_step is not None:
            self.world_step = given.world_step
        self._maze.begin_episode(self._world_step, self._uniform, given.level)
        self._sync_maze()
        starts = self.layout.starts
        start = starts[int(self._uniform() * len(starts)) if len(starts) > 1 else 0]
        self._state = self._initial_state(start)
        self._trail = []
        if self.render_mode == "human":
            self.render()
        return self._observe()

    def _apply_due_changes(self) -> None:
        """Apply the changes of this world step and update the rendering; rarely needed."""
        if self._world_step == self._next_change:
            self._maze.apply_due_changes(self._world_step, self.agent, self._uniform)
            self._sync_maze()
        if self._is_watched:
            self._trail = longer_trail(self._trail, self._trail_entry())
            if self.render_mode == "human":
                self.render()

    @property
    def present_observation(self) -> Any:
        """The observation of the present state, as at the beginning of an episode."""
        return self._state if self._encode is None else self._encode(self._state, self._slot)

    def _observe(self) -> tuple[Any, dict[str, Any]]:
        """Return the present observation and information."""
        encode = self._encode
        observation = self._state if encode is None else encode(self._state, self._slot)
        info = {"world_step": self._world_step, "phase": self._phase}
        if self._has_plain_info:
            return observation, info
        info.update(self._counters)
        return self._report_changes(observation, info), info

    @property
    def compute_reward(self) -> Callable[[npt.ArrayLike, npt.ArrayLike, Any], Any]:
        """`compute_reward(achieved_goal, desired_goal, info)`, with goal observations only.

        It equals the reward of each step: goals are (..., 2) cells or positions, also of a batch
        (see `envs.goals.goal_reward`).

        Raises:
            AttributeError: without goal observations; learners recognise goal tasks by it.
        """
        if not self.has_goals:
            raise AttributeError(
                "compute_reward of an environment without goals; expected observation='goal'"
            )
        from .goals import goal_reward

        return partial(goal_reward, self._config.first.rewards)

    def render(self) -> Any:
        """Render the maze in the form that `render_mode` selects.

        Returns:
            "rgb_array": uint8 (height, width, 3). "ansi": rows of text, the agent as `A`;
            "ansi_color": the same in colours; "svg": a drawing. "human": None, the window is drawn.
        """
        name = type(self).__name__ if self.spec is None else self.spec.id
        return self._renderer.render(self.scene(), self.metadata, name)

    def close(self) -> None:
        """Close the window if it is open; a later `reset` opens it again."""
        self._renderer.close()

    # -- the maze and its changes --------------------------------------------------------------

    @property
    def schedule(self) -> Schedule:
        """The changes that are known in advance: the layout of each phase."""
        return self._config.schedule

    @property
    def maze_config(self) -> MazeConfig:
        """The initial maze and all its kinds of changes."""
        return self._config

    @property
    def maze(self) -> ChangingMaze:
        """The changing maze with its present state."""
        return self._maze

    @property
    def layout(self) -> Layout:
        """The present layout."""
        return self._maze.layout

    @property
    def slip_probability(self) -> float:
        """The probability that a step goes to one of the perpendicular directions."""
        return self.layout.slip_probability

    @property
    def world_step(self) -> int:
        """The clock: the number of steps over all episodes. May be set."""
        return self._world_step

    @world_step.setter
    def world_step(self, world_step: int) -> None:
        self._world_step = check_world_step(world_step)
        self._started = True
        self._warns_of_restarts = False
        self._maze.set_clock(self._world_step, self._uniform)
        self._sync_maze()

    @property
    def phase(self) -> int:
        """The number of changes so far."""
        return self._phase

    @property
    def level(self) -> int | None:
        """The level of the present maze; None where mazes are not generated."""
        return self._maze.level

    @property
    def run(self) -> int | None:
        """The number of runs before this one; None where there are no runs."""
        return self._maze.run if self._maze.config.run_steps else None

    def change(self, change: ChangeLike) -> None:
        """Change the maze now, during an episode or between two.

        The agent stays where it is; a goal that appears under it ends the episode at the next
        step. Scheduled changes still come; a reset with a seed undoes all.

        Args:
            change: another layout of the same shape, as text, rows, a file or a `Layout`; or what
                changes, such as `{"slip_probability": 0.3}`, `{"goal": (0, 3)}`,
                `{"layout": rows, "goal_reward": 2}`.

        Raises:
            LayoutError: for an invalid maze, or one of another shape.
            ValueError: for something that cannot change; with goal observations also for what
                `compute_reward` could not know, such as a goal at the agent's cell.
        """
        layout = apply_change(self.layout, change)
        if self.has_goals:
            from .goals import check_goal_layout

            check_goal_layout(layout, self._config.first.rewards, self.agent)
        self._maze.change(layout, self._world_step)
        self._maze.changed_by_call = True
        self._sync_maze()
        if self.render_mode == "human" and self.agent is not None:
            self.render()

    # -- saving and restoring ------------------------------------------------------------------

    def configuration_digest(self) -> str:
        """Return a digest of the configuration: 64 hexadecimal digits, equal in every process.

        Environments with equal digests are configured alike, however their arguments were spelled:
        the layouts of all phases with their rewards and slip probabilities, the times of the
        changes, the process of random changes, the levels, the rules of a step (the kind of agent,
        its motion and actions, a LoCA task) and the observations. From equal states, equal actions
        then give equal observations, rewards and ends. Reports in the information, rendering and
        time limits do not belong to it, and neither does what changes later: a call of `change` or
        `set_task` is part of the state. A vector environment has the digest of its single one. A
        subclass of your own is another configuration.
        """
        if not self._digest:
            changes = self._change_info
            described = {
                "kind": self.kind,
                "maze": self._config.describe(),
                "changes": changes.in_observation and ("cells" if changes.with_cells else "change"),
                **self._description,
            }
            self._digest = digest_of(described)
        return self._digest

    def get_state(self) -> dict[str, Any]:
        """Return everything that the future depends on, as plain numbers that JSON can hold.

        It names the environment and its configuration. The time limit of `gym.make` belongs to a
        wrapper and is not included, nor is what only pictures show.
        """
        self._name = self._name or env_name(self)
        return {
            "environment": self._name,
            "configuration": self.configuration_digest(),
            "state": self._state_to_json(),
            "world_step": self._world_step,
            "world": self._maze.get_state(),  # a stored key: as in version 0.1
            "started": self._started,
            "uniforms": self._uniforms[::-1],
            "rng": self.np_random.bit_generator.state,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore a result of `get_state`; the same actions then give the same numbers.

        Raises:
            ValueError: if it is not such a state, or one of another configuration; the environment
                is then unchanged. States of versions before 0.2 do not name their configuration.
        """
        self.restore(self.parse_state(state))

    def parse_state(self, state: dict[str, Any]) -> RestoredState:
        """Return the parts of a result of `get_state` after checking them; nothing is changed.

        Raises:
            ValueError: as `set_state`.
        """
        check_configuration(state, self)
        with reading_state():
            world_step, uniforms = parse_saved_state(state)
            maze = self._maze.restored(state["world"], world_step)
            agent = self._state_from_json(state, maze)
            started = state.get("started", True)
            if not isinstance(started, bool):
                raise ValueError(f"started={shown(started)}; expected True or False")
        return RestoredState(maze, agent, world_step, started, uniforms, state["rng"])

    def restore(self, state: RestoredState) -> None:
        """Continue in a state of `parse_state`."""
        if not isinstance(self.np_random.bit_generator, np.random.PCG64):  # set by the user
            self._np_random = np.random.Generator(np.random.PCG64())
        self.np_random.bit_generator.state = state.generator
        self.attach(AttachedState(*state[:-1], trail=[]), self._slot)

    # -- for the vector environment ------------------------------------------------------------

    @property
    def observation_encoder(self) -> ObservationEncoder:
        """The encoder of observations."""
        return self._encoder

    @property
    def change_info(self) -> ChangeInfo:
        """The report of changes in the information or the observation."""
        return self._change_info

    def use_generator(self, generator: np.random.Generator, seed: int | None) -> None:
        """Draw random numbers from another generator, which was made from this seed."""
        self._np_random, self._np_random_seed = generator, seed

    def attach(self, state: AttachedState, slot: int) -> None:
        """Continue in another state, whose maze the encoder holds in a slot."""
        self._maze, self._state, self._world_step, self._started, uniforms, self._trail = state
        self._uniforms, self._slot = uniforms[::-1], slot
        self._sync_maze()

    def detach(self) -> AttachedState:
        """Return the present state in the form of `attach`."""
        return AttachedState(
            self._maze,
            self._state,
            self._world_step,
            self._started,
            self._uniforms[::-1],
            self._trail,
        )

    # -- rendering -----------------------------------------------------------------------------

    def scene(self) -> Any:
        """Return the `dynamaze.envs.rendering.Scene` of this moment."""
        return maze_scene(self._maze, self._world_step)._replace(
            agent=self.agent, trail=tuple(self._trail), overlays=self.overlays
        )

    @property
    def overlays(self) -> Any:
        """The arrays drawn over the maze, as `dynamaze.envs.rendering.Overlays`."""
        if self._overlays is None:
            from .rendering.overlays import Overlays

            self._overlays = Overlays()
        return self._overlays

    @overlays.setter
    def overlays(self, overlays: Any) -> None:
        overlays.check((self.layout.rows, self.layout.cols))
        self._overlays = overlays

    def set_overlay(self, **arrays: Any) -> None:
        """Draw arrays over the maze, such as an agent's values or policy.

        Args:
            **arrays: by name; None removes an overlay. S = rows * cols states, and wherever
                (S, ...) fits, (rows, cols, ...) does; NaN draws nothing. `values` (S,): a heat
                map, without walls and goals. `q` (S, 4): four triangles, likewise. `policy`
                (S, 4), probabilities: arrows. `visits` (S,): counts. `belief` (rows, cols), bool
                or probabilities: the walls of a model, compared with the true ones. `planned`
                (n, 2), pairs of state and action, the newest last: the planner's last updates.
                `tree` (S,): visits of a search tree. `trail`, `changed`: bools, False hides them.
                `value_range`: the ends of the colours of `values` and `q`.

        Raises:
            ValueError: for an unknown name, or an array that does not fit; TypeError for anything
                but an array of numbers. The overlays are then unchanged.
        """
        shape = (self.layout.rows, self.layout.cols)
        self._overlays = self.overlays.replace(shape, **arrays)

    def phase_scene(self, phase: int) -> Any:
        """Return the `Scene` of the empty maze of any phase.

        Raises:
            ValueError: for a phase that does not exist; TypeError for anything but a number.
        """
        from .rendering.scene import layout_scene

        return layout_scene(self.schedule.layouts[self.schedule.check_phase(phase)])

    @property
    def window(self) -> Any:
        """The window of render mode "human"; None while it is closed."""
        return self._renderer.window

    # -- inside --------------------------------------------------------------------------------

    def _uniform(self) -> float:
        """Return the next random number in [0, 1)."""
        if not self._uniforms:
            self._uniforms = self.np_random.random(UNIFORM_BLOCK)[::-1].tolist()
        return self._uniforms.pop()

    def _sync_maze(self) -> None:
        """Copy from the maze what a step reads."""
        maze = self._maze
        if self._change_info.is_off:
            maze.unreported = None
        self._phase, self._next_change = maze.phase, maze.next_change
        self._encoder.load(self._slot, maze.layout)
        self._counters = {key: getattr(maze, name) for name, key in self._config.counters.items()}

    def _report_changes(self, observation: Any, info: dict[str, Any]) -> Any:
        """Report changes in the information or the observation, whichever is configured."""
        maze, change_info = self._maze, self._change_info
        if change_info.is_off:
            return observation
        changed = maze.unreported is not None
        cells = maze.changed_cells if change_info.with_cells else NO_CELLS
        maze.unreported = None
        info.update(change_info.info(changed, cells))
        return change_info.extend_observation(observation, int(changed), cells)

    def _warn_about_seeded_resets(self) -> None:
        """Warn once if every reset is seeded: the clock then restarts and nothing ever changes."""
        changes = self.schedule.steps[1:]
        if not self._warns_of_restarts or not changes or self.schedule.by_episode:
            return
        self._unchanged_steps += self._world_step
        waits = self._phase == 0 and self._unchanged_steps < max(changes[0], CHECKERS_STEPS)
        if self._phase == 0 and not waits:
            logger.warn(
                f"this environment took {self._unchanged_steps} steps and never reached its first "
                f"change at world step {changes[0]}, because reset(seed=...) restarts its clock; "
                "seed the first reset only, or set the clock by reset(options={'world_step': k})"
            )
        self._warns_of_restarts = waits


def longer_trail(trail: list[Any], entry: Any) -> list[Any]:
    """Return a trail with another entry at its end, without the oldest beyond `TRAIL_LENGTH`."""
    return [*trail[1 - TRAIL_LENGTH :], entry]


def check_configuration(state: Any, env: Any) -> None:
    """Check that a result of `get_state` is of an environment's configuration, as far as it says.

    Raises:
        ValueError: if it is not; names both.
    """
    if not isinstance(state, Mapping):
        raise ValueError(f"not a state that get_state() returned: {shown(state)}")
    found = state.get("configuration")
    if found is not None and found != env.configuration_digest():
        saved = Origin(str(state.get("environment", "an environment")), str(found))
        own = Origin(env_name(env), env.configuration_digest())
        raise ValueError(f"a state of {saved}; expected one of {own}")
