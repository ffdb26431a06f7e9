"""The maze environment: one agent, one world, whose walls may move while it lives."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import logger, spaces

from .dynamics import NUM_ACTIONS, Dynamics, Outcome, Tables
from .layout import Cell, IntArray, Layout, Rewards
from .mdp import FiniteMDP, FloatArray, ToyText
from .observation import make_observation
from .options import check_render_mode, read_state, read_world_step, refuse_action
from .rendering import FramePainter, Scene, Window, scene_to_text
from .schedule import ChangesLike, LayoutLike, Schedule, read_schedule

UNIFORM_BLOCK = 256
"""Random numbers are drawn from `np_random` in blocks: one call of NumPy for 256 steps."""

CHECKERS_STEPS = 20
"""Who checks an environment seeds every reset, too, but not after a life of so many steps."""

HIGHLIGHT_STEPS = 100
"""For so many world steps after a change the picture shows what changed."""

TRAIL_CELLS = 64


class DynaMazeEnv(gym.Env[Any, int]):
    """A maze whose walls may change while the agent learns.

    ## Description
    The mazes of Sutton & Barto (2018), chapter 8, and every other maze on a grid. An agent walks
    from a start to a goal. The world has a clock that counts the steps of the agent's whole life,
    and at stated world steps the maze changes, in the middle of an episode if need be:

    | id | maze | shortest way |
    | --- | --- | --- |
    | `DynaMaze-v0` | example 8.1: does not change | 14 |
    | `DynaMazeBlocking-v0` | example 8.2: the short way is blocked at step 1000 | 10, then 16 |
    | `DynaMazeShortcut-v0` | example 8.3: a shortcut opens at step 3000 | 16, then 10 |

    ## Action Space
    `Discrete(4)`: 0 up, 1 right, 2 down, 3 left. A wall or the edge of the maze stops the agent.

    ## Observation Space
    Chosen by `observation`:

    | name | space | what it is |
    | --- | --- | --- |
    | `"index"` | `Discrete(rows * cols)` | the cell's number, `row * cols + col` |
    | `"coordinates"` | `MultiDiscrete([rows, cols])` | row and column, row 0 on top |
    | `"one_hot"` | `Box(0, 1, (rows * cols,), float32)` | a 1 at the cell's number |
    | `"planes"` | `Box(0, 1, (3, rows, cols), float32)` | walls, agent and goals as they are now |

    ## Starting State
    The start, `S`; where there are several, one of them at random.

    ## Rewards
    `goal_reward` (1) on reaching a goal, `wall_reward` (0) when something stopped the agent,
    `step_reward` (0) otherwise.

    ## Episode End
    Terminated at a goal. Truncated after 10,000 steps (`gym.make(..., max_episode_steps=n)`; -1
    for no limit): a random walk reaches it about 3 times in a million episodes.

    ## Information
    `reset` and `step` give `world_step`, the steps of the whole life so far, and `phase`, the
    number of changes so far. The step taken when the clock shows 1000 is the first one in the
    maze that holds from world step 1000.

    The clock survives `reset()`. It starts again on `reset(seed=...)`, and
    `reset(options={"world_step": k})` sets it. Seed the first reset only.

    A wall that falls on the agent does not move it: it stands on the wall's cell and may step off
    to any free neighbour, but not back.

    ## Arguments
    Args:
        layout: a maze as text, a list of rows, a file, a `Layout`, or "dyna", "blocking",
            "shortcut". `#` wall, `.` or space free, `S` start, `G` goal; a text may go on with
            `@ STEP` lines and the layouts that hold from then on.
        changes: world step -> layout, as a mapping or as pairs. None keeps the changes that
            `layout` brings.
        slip_probability: with this probability a step goes to one of the two directions
            perpendicular to the action, each half as likely.
        goal_reward: paid on reaching a goal.
        step_reward: paid for a step that does neither.
        wall_reward: paid for a step that a wall or the edge stopped.
        observation: "index", "coordinates", "one_hot" or "planes".
        render_mode: "human" (a pygame window), "rgb_array" (a frame as uint8), "ansi" (text).

    Raises:
        LayoutError: (a ValueError) for a maze or a schedule that cannot be.
        ValueError: for a slip probability, an observation or a render mode that does not exist.

    ## Version History
    * v0: the first.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012  # Gymnasium's own declaration
        "render_modes": ["human", "rgb_array", "ansi"],
        "render_fps": 30,
    }

    def __init__(
        self,
        layout: LayoutLike = "dyna",
        changes: ChangesLike | None = None,
        *,
        slip_probability: float = 0.0,
        goal_reward: float = 1.0,
        step_reward: float = 0.0,
        wall_reward: float = 0.0,
        observation: str = "index",
        render_mode: str | None = None,
    ) -> None:
        rewards = Rewards(goal_reward, step_reward, wall_reward)
        schedule = read_schedule(layout, changes, rewards=rewards)
        self._dynamics = Dynamics(schedule, slip_probability)
        self._observation = make_observation(observation, schedule)
        self.render_mode = check_render_mode(render_mode, self.metadata["render_modes"])
        self.observation_space = self._observation.space
        self.action_space: spaces.Space[Any] = spaces.Discrete(NUM_ACTIONS)
        # Indices are passed on as they are; every other form is made by a call.
        self._observe = None if observation == "index" else self._observation.one
        self._state: int = -1
        self._uniforms: list[float] = []  # drawn but not used yet, the next one last
        self._unchanged_steps = 0  # of lives that a seeded reset ended before the first change
        self._warns_of_restarts = True  # until it has, or who uses it is seen to know the clock
        self._trail: list[Cell] = []
        self._painter: FramePainter | None = None
        self._window: Window | None = None
        self._world_step, self._phase, self._next_change = 0, 0, -1
        self._outcomes = self._dynamics.outcomes(0)
        self._set_clock(0)

    # -- the Gymnasium interface ---------------------------------------------------------------

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: seeds the random numbers and starts the world's clock again; None leaves both.
            options: `{"world_step": k}` sets the clock.

        Returns:
            The observation and the information.

        Raises:
            ValueError: for an unknown option or a negative world step.
        """
        world_step = read_world_step(options)
        super().reset(seed=seed)
        if seed is not None:
            self._uniforms = []
            self._note_restart()
            self._set_clock(0)
        if world_step is not None:
            self.world_step = world_step
        starts = self._dynamics.starts(self._phase)
        self._state = starts[int(self._uniform() * len(starts)) if len(starts) > 1 else 0]
        self._trail = []
        if self.render_mode == "human":
            self.render()
        observation = self._observation.one(self._state, self._phase)
        return observation, {"world_step": self._world_step, "phase": self._phase}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take a step.

        Args:
            action: 0 up, 1 right, 2 down, 3 left; any integer type, also a 0-d array.

        Returns:
            Observation, reward, terminated, truncated (never: the time limit is a wrapper's) and
            information.

        Raises:
            ValueError: for an action outside the space; TypeError if it is not an integer.
            gymnasium.error.ResetNeeded: before the first reset.
        """
        try:
            outcomes = self._outcomes[self._state][action]
            if action < 0:
                raise IndexError
        except (IndexError, TypeError, ValueError):
            if self._state < 0:
                message = "step() before the first reset(); call reset() first"
                raise gym.error.ResetNeeded(message) from None
            raise refuse_action(action) from None
        self._state, reward, terminated = (
            outcomes[0] if len(outcomes) == 1 else self._draw(outcomes)
        )
        world_step = self._world_step = self._world_step + 1
        if world_step == self._next_change:
            self._set_clock(world_step)
        if self.render_mode is not None:
            self._leave_trail()
        observe = self._observe
        return (
            self._state if observe is None else observe(self._state, self._phase),
            reward,
            terminated,
            False,
            {"world_step": world_step, "phase": self._phase},
        )

    def render(self) -> Any:
        """A picture of the maze, in the form that `render_mode` says.

        Returns:
            "rgb_array": uint8 (height, width, 3). "ansi": rows of text, the agent as `A`.
            "human": None, the window is drawn.
        """
        if self.render_mode is None:
            logger.warn(
                "render() was called without a render mode; "
                'pass one to make, for example gym.make("DynaMaze-v0", render_mode="rgb_array")'
            )
            return None
        if self.render_mode == "ansi":
            return scene_to_text(self.scene())
        if self._painter is None:
            self._painter = FramePainter(self.layout.rows, self.layout.cols)
        frame = self._painter.paint(self.scene())
        if self.render_mode == "rgb_array":
            return frame
        if self._window is None:
            self._window = Window("DynaMaze", fps=self.metadata["render_fps"])
        self._window.show(frame)
        return None

    def close(self) -> None:
        """Close the window, if there is one; a later `reset` opens it again."""
        if self._window is not None:
            self._window.close()
            self._window = None

    # -- the world, exactly --------------------------------------------------------------------

    @property
    def schedule(self) -> Schedule:
        """Which layout holds at which world step."""
        return self._dynamics.schedule

    @property
    def layout(self) -> Layout:
        """The layout of the present phase."""
        return self.schedule.layouts[self._phase]

    @property
    def slip_probability(self) -> float:
        """The probability that a step goes to one of the perpendicular directions."""
        return self._dynamics.slip_probability

    @property
    def tables(self) -> Tables:
        """The whole changing world as arrays, all phases: what a compiled run steps by."""
        return self._dynamics.tables

    @property
    def world_step(self) -> int:
        """The clock: real steps of the whole life so far. May be set."""
        return self._world_step

    @world_step.setter
    def world_step(self, world_step: int) -> None:
        checked = read_world_step({"world_step": world_step})
        if checked is not None:
            self._warns_of_restarts = False
            self._set_clock(checked)

    @property
    def phase(self) -> int:
        """The number of changes so far."""
        return self._phase

    @property
    def agent(self) -> Cell | None:
        """The cell (row, col) where the agent stands; None before the first reset."""
        return None if self._state < 0 else self.layout.cell(self._state)

    @property
    def mdp(self) -> FiniteMDP:
        """The exact Markov decision process of the present phase, as arrays."""
        return self._dynamics.mdp(self._phase)

    def phase_mdp(self, phase: int) -> FiniteMDP:
        """The exact Markov decision process of any phase."""
        return self._dynamics.mdp(phase)

    @property
    def P(self) -> ToyText:  # noqa: N802  # the name that toy-text environments gave it
        """The present phase as toy-text: `P[s][a] = [(probability, s', reward, terminated)]`."""
        return self.mdp.to_toy_text()

    def optimal_values(self, gamma: float = 0.95) -> FloatArray:
        """(states,) optimal state values of the present phase."""
        return self.mdp.optimal_values(gamma)

    def optimal_action_values(self, gamma: float = 0.95) -> FloatArray:
        """(states, actions) optimal action values of the present phase."""
        return self.mdp.optimal_action_values(gamma)

    def optimal_policy(self, gamma: float = 0.95) -> FloatArray:
        """(states, actions) probabilities of the optimal actions of the present phase."""
        return self.mdp.optimal_policy(gamma)

    @property
    def shortest_path(self) -> tuple[Cell, ...]:
        """The cells of a shortest way from start to goal in the present phase, both included."""
        return self.layout.shortest_path

    @property
    def shortest_path_length(self) -> int:
        """Steps of a shortest way from start to goal in the present phase."""
        return self.layout.shortest_path_length

    # -- saving and restoring ------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """All that the future depends on, as plain numbers that JSON can hold.

        The time limit of `gym.make` is a wrapper's and not in it.
        """
        return {
            "state": self._state,
            "world_step": self._world_step,
            "uniforms": self._uniforms[::-1],
            "rng": self.np_random.bit_generator.state,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned; the same actions then give the same numbers.

        Raises:
            ValueError: if it is not such a state; the environment is then as it was.
        """
        cell, world_step, uniforms = read_state(state, self.layout.num_cells)
        self.np_random.bit_generator.state = state["rng"]
        self._uniforms = uniforms[::-1]
        self._state = cell
        self._trail = []
        self._set_clock(world_step)

    def __getstate__(self) -> dict[str, Any]:
        # A window belongs to one environment; a copy opens its own.
        return {**self.__dict__, "_window": None}

    # -- for the vector environment ------------------------------------------------------------

    @property
    def is_random(self) -> bool:
        """Whether a step or a reset uses random numbers at all."""
        return self._dynamics.is_random

    def adopt(self, generator: np.random.Generator, seed: int | None) -> None:
        """Draw from another generator from now on, and say that it got this seed."""
        self._np_random, self._np_random_seed = generator, seed

    def observe_one(self, state: int, phase: int) -> Any:
        """The observation of a state in a phase."""
        return self._observation.one(state, phase)

    def observe_many(self, states: IntArray, phases: IntArray) -> Any:
        """The observations of (n,) states in (n,) phases, in a new array."""
        return self._observation.many(states, phases)

    # -- pictures and keys ---------------------------------------------------------------------

    def scene(self) -> Scene:
        """What a picture of this moment shows, as data."""
        changed, strength = self._recent_change()
        return Scene(
            walls=self.layout.walls,
            starts=self.layout.starts,
            goals=self.layout.goals,
            agent=self.agent,
            trail=tuple(self._trail),
            changed=changed,
            changed_strength=strength,
        )

    def phase_scene(self, phase: int) -> Scene:
        """What a picture of the empty maze of any phase shows, as data."""
        layout = self.schedule.layouts[phase]
        return Scene(layout.walls, layout.starts, layout.goals, agent=None)

    @property
    def window(self) -> Window | None:
        """The window of render mode "human"; None while there is none."""
        return self._window

    def get_keys_to_action(self) -> dict[tuple[str, ...], int]:
        """The keys of `gymnasium.utils.play`."""
        return {("w",): 0, ("d",): 1, ("s",): 2, ("a",): 3}

    # -- inside --------------------------------------------------------------------------------

    def _uniform(self) -> float:
        """The next random number in [0, 1)."""
        if not self._uniforms:
            self._uniforms = self.np_random.random(UNIFORM_BLOCK)[::-1].tolist()
        return self._uniforms.pop()

    def _draw(self, outcomes: tuple[Outcome, ...]) -> Outcome:
        return outcomes[bisect_right(self._dynamics.thresholds, self._uniform())]

    def _set_clock(self, world_step: int) -> None:
        steps = self.schedule.steps
        self._world_step = world_step
        self._phase = self.schedule.phase_at(world_step)
        self._next_change = steps[self._phase + 1] if self._phase + 1 < len(steps) else -1
        self._outcomes = self._dynamics.outcomes(self._phase)

    def _note_restart(self) -> None:
        """Warn once who seeds every reset: the clock starts again, so nothing ever changes."""
        changes = self.schedule.steps[1:]
        if not self._warns_of_restarts or not changes:
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

    def _leave_trail(self) -> None:
        self._trail = [*self._trail[1 - TRAIL_CELLS :], self.layout.cell(self._state)]
        if self.render_mode == "human":
            self.render()

    def _recent_change(self) -> tuple[Any, float]:
        age = self._world_step - self.schedule.steps[self._phase]
        if self._phase == 0 or age >= HIGHLIGHT_STEPS:
            return None, 0.0
        before = self.schedule.layouts[self._phase - 1].walls
        # It fades by tenths: a painter keeps what stands still from frame to frame.
        return before != self.layout.walls, 1.0 - (10 * age // HIGHLIGHT_STEPS) / 10
