"""`dynamaze watch`: an agent learning live in a window.

The agent's generator `agent.steps()` is consumed here and nowhere else: `Controls` says when the
next step may be taken, `Diary` tells what has happened so far. Neither knows the agent.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any, Literal

import gymnasium as gym
import tyro

from dynamaze.agents import Agent, DynaQ, DynaQPlus, QLearning, Step
from dynamaze.envs import DynaMazeEnv
from dynamaze.envs.rendering import Window, pressed_key, require_display

SPEEDS = (1, 2, 4, 8, 15, 30, 60, 125, 250, 500, 1000, math.inf)
"""Where + and - go, in steps a second."""

NAP = 1 / 60
"""Seconds between two looks at the window's keys, while nothing else is to be done."""

SLOWEST_FPS = 5
"""At the end of an episode the window sleeps between two frames, so that the arrival is seen; never
longer than 1/5 s, for it hears no keys meanwhile."""

RECENT_EPISODES = 10

KEYS = "space: pause or go on;  right arrow or N: one step;  + and -: speed;  Esc or Q: end"


@dataclass(frozen=True)
class Watch:
    """Watch an agent learn, live, in a window.

    Keys in the window: space pauses and goes on, the right arrow or N takes a single step, + and -
    change the speed, Esc or Q ends. The title tells the speed, the steps so far, the maze's phase
    (how often it has changed), the episode, its return, and the mean length of the last 10
    episodes. The settings suit the book's changing mazes.

    Other environments of Gymnasium with discrete spaces (FrozenLake-v1, Taxi-v4) open a window of
    their own, which hears no keys: give --steps, or end it with Ctrl-C.
    """

    env_id: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="[ID]")] = (
        "DynaMazeShortcut-v0"
    )
    """The environment."""
    agent: Literal["DynaQPlus", "DynaQ", "QLearning"] = "DynaQPlus"
    """Who learns."""
    planning_steps: int = 50
    """Simulated steps after each real step, n (not QLearning)."""
    learning_rate: float = 1.0
    """Step size, alpha; 1 is right where nothing is random, 0.1 is safe elsewhere."""
    gamma: float = 0.95
    """Discount."""
    epsilon: float = 0.1
    """How often an action is taken at random."""
    kappa: float = 1e-3
    """Weight of the bonus for what was not tried for long (DynaQPlus only)."""
    model: Literal["latest_outcome", "maximum_likelihood", "stored_experience"] = "latest_outcome"
    """Model of the world (not QLearning)."""
    steps: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """End after so many steps. By default when the window is closed."""
    fps: float = 30
    """Steps shown in a second; 0 is as fast as it can."""
    seed: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Settles every random number. By default each run is different."""
    layout: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Another maze: a text file of #, ., S and G rows; `@ STEP` lines begin later phases."""
    slip_probability: Annotated[float | None, tyro.conf.arg(metavar="P")] = None
    """How often a step goes to one side of where it should."""


def main(config: Watch) -> None:
    """Open the window, let the agent learn in it, and say in one line how it went.

    Raises:
        ValueError: for a number outside its range or a maze that cannot be.
        TypeError: for an environment whose spaces are not discrete.
        gymnasium.error.Error: for an id that does not exist.
        RuntimeError: without a display.
    """
    _check(config)
    require_display("without one, agents learn by agent.learn(total_timesteps)")
    env = make_env(config)
    agent = make_agent(config, env)
    diary = Diary(f"{config.agent} in {config.env_id}")
    print(opening(diary.title, env), flush=True)
    try:
        watch(agent, env, Controls(config.fps), diary, steps=config.steps)
    finally:
        env.close()
        if diary.num_steps:
            print(diary.summary())


def watch(
    agent: Agent,
    env: gym.Env[Any, Any],
    controls: Controls,
    diary: Diary,
    *,
    steps: int | None = None,
) -> None:
    """Let an agent live until the controls, or the number of steps, say that it is the end.

    Args:
        agent: who learns.
        env: where; the agent's own.
        controls: when the next step may be taken.
        diary: is told every step.
        steps: how many at most; None for no limit.
    """
    for step in islice(agent.steps(), steps):
        diary.add(step)
        if not controls.wait(window_of(env), diary.status(step)):
            break


def make_agent(config: Watch, env: gym.Env[Any, Any]) -> Agent:
    """The agent, put together as the options say."""
    direct: dict[str, Any] = {
        "learning_rate": config.learning_rate,
        "gamma": config.gamma,
        "epsilon": config.epsilon,
        "seed": config.seed,
    }
    planning: dict[str, Any] = {"planning_steps": config.planning_steps, "model": config.model}
    if config.agent == "QLearning":
        return QLearning(env, **direct)
    if config.agent == "DynaQ":
        return DynaQ(env, **direct, **planning)
    return DynaQPlus(env, **direct, **planning, kappa=config.kappa)


def make_env(config: Watch) -> gym.Env[Any, Any]:
    """The environment, with its window, at the speed that is asked for."""
    options: dict[str, Any] = {
        "layout": config.layout,
        "slip_probability": config.slip_probability,
    }
    given = {name: value for name, value in options.items() if value is not None}
    env: gym.Env[Any, Any] = gym.make(config.env_id, render_mode="human", **given)
    # A dict of its own: the class's belongs to every environment.
    env.unwrapped.metadata = {**env.unwrapped.metadata, "render_fps": frame_rate(config.fps)}
    return env


def frame_rate(speed: float) -> float:
    """Frames a second for a window in which `Controls` set the pace; 0 is as fast as possible."""
    return max(speed, SLOWEST_FPS) if 0 < speed < math.inf else 0.0


def window_of(env: gym.Env[Any, Any]) -> Window | None:
    """The window of a maze; None for environments that draw in another way."""
    return env.unwrapped.window if isinstance(env.unwrapped, DynaMazeEnv) else None


def opening(title: str, env: gym.Env[Any, Any]) -> str:
    """What is said before the window opens."""
    maze = env.unwrapped
    if not isinstance(maze, DynaMazeEnv):
        return f"{title}.\nCtrl-C: end"
    steps = ", ".join(f"{step:,}" for step in maze.schedule.steps[1:9])
    changes = f", which changes at step {steps}" if steps else ""
    return f"{title}{changes}.\n{KEYS}"


class Controls:
    """What the person at the window wants: a pause, a step, another speed, the end.

    Attributes:
        speed: steps a second, infinite for as fast as possible.
        paused: whether only single steps are taken.
        ended: whether the person has had enough.
    """

    def __init__(
        self,
        fps: float,
        *,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.speed = fps if fps > 0 else math.inf
        self.paused = False
        self.ended = False
        self._single_steps = 0  # asked for and not taken yet
        self._clock, self._sleep = clock, sleep
        self._began = clock()  # when the present step began

    def press(self, key: str) -> None:
        """Take note of a key; keys without a meaning are ignored."""
        if key == "space":
            self.paused, self._single_steps = not self.paused, 0
        elif key in ("right", "n"):
            self.paused, self._single_steps = True, self._single_steps + 1
        elif key in ("+", "="):
            self.speed = min((speed for speed in SPEEDS if speed > self.speed), default=self.speed)
        elif key == "-":
            self.speed = max((speed for speed in SPEEDS if speed < self.speed), default=self.speed)
        elif key in ("escape", "q"):
            self.ended = True

    def wait(self, window: Window | None, status: str) -> bool:
        """Wait, with the window awake, until the next step is due.

        Args:
            window: where keys are pressed and the status is shown; None where there is none.
            status: what happened so far.

        Returns:
            False when it is the end.
        """
        while True:
            if window is not None:
                self._attend(window, status)
            if self.ended or self._is_due():
                return not self.ended
            self._sleep(NAP if self.paused else min(NAP, self._remaining()))

    def label(self) -> str:
        """The speed, or that it is paused, for the title."""
        if self.paused:
            return "paused"
        return "max" if self.speed == math.inf else f"{self.speed:g}/s"

    def _attend(self, window: Window, status: str) -> None:
        for event in window.events():
            self.press(pressed_key(event) or "")
        self.ended = self.ended or window.closed_by_user
        window.fps = SLOWEST_FPS if self.paused else frame_rate(self.speed)
        window.title = f"{self.label()} · {status}"

    def _is_due(self) -> bool:
        if self._single_steps:
            self._single_steps -= 1
        elif self.paused or self._remaining() > 0:
            return False
        self._began = self._clock()
        return True

    def _remaining(self) -> float:
        return self._began + 1 / self.speed - self._clock()


class Diary:
    """What has happened so far: for the window's title, and for the line at the end.

    Attributes:
        title: who learns where.
        num_steps: steps seen.
        num_episodes: episodes that have ended.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.num_steps = 0
        self.num_episodes = 0
        self._recent: deque[Step] = deque(maxlen=RECENT_EPISODES)  # the last step of each

    def add(self, step: Step) -> None:
        """Take note of a step."""
        self.num_steps += 1
        if step.terminated or step.truncated:
            self.num_episodes += 1
            self._recent.append(step)

    def status(self, step: Step) -> str:
        """Where things stand after the latest step; short, for titles are cut to the window."""
        phase = f" · phase {step.info['phase']}" if "phase" in step.info else ""
        mean = f" · mean {self._mean_length():.1f}" if self._recent else ""
        episode = f"episode {step.episode + 1:,}, return {step.episode_return:g}"
        return f"step {self.num_steps:,}{phase} · {episode}{mean}"

    def summary(self) -> str:
        """The whole run in one line."""
        run = f"{self.title}: {_count(self.num_steps, 'step')}"
        if not self._recent:
            return f"{run}, no episode ended"
        recent = f"the last {len(self._recent)}" if len(self._recent) > 1 else "the last one"
        return (
            f"{run}, {_count(self.num_episodes, 'episode')}, "
            f"{self._mean_length():.1f} steps an episode over {recent}"
        )

    def _mean_length(self) -> float:
        return sum(step.episode_length for step in self._recent) / len(self._recent)


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _check(config: Watch) -> None:
    if not 0 <= config.fps < math.inf:
        raise ValueError(f"fps={config.fps:g}; expected a number of at least 0")
    for name, number in (("steps", config.steps), ("seed", config.seed)):
        if number is not None and number < 0:
            raise ValueError(f"{name}={number}; expected a whole number of at least 0")
