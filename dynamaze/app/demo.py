"""`dynamaze demo`: three agents in two mazes that change, in the terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import Annotated, Any, NamedTuple

import gymnasium as gym
import numpy as np
import tyro
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from dynamaze.agents import DynaQ, DynaQPlus
from dynamaze.common.arrays import FloatArray
from dynamaze.distill.export.compiled import load_policy
from dynamaze.envs.rendering.text import BARS, scene_to_color_text

from ..common.options import Seed32, Steps
from ..viewer.environment import make_env
from ..viewer.events import EventLog
from ..viewer.policies import MapPolicyAgent
from ..viewer.runs import Watchable, WatchedRun
from ..viewer.statistics import format_regret

GAMMA = 0.95
STUDENT = "builtin:map_value_iteration"
MAZES = {"DynaMazeBlocking-v0": 3000, "DynaMazeShortcut-v0": 6000}
"""Steps in each maze, as in figures 8.4 and 8.5 of Sutton & Barto (2018)."""

OVERLAYS = ("values", "q", "trail", "changed")
FRAMES = 40
"""Frames of a maze."""
FRAME_SECONDS = 0.03
"""Shortest time from one frame to the next."""

COLUMNS = 24
"""Characters of each agent's column; three fit a terminal of 80."""

PICTURE_SIZE = (64, 64)
"""Pixels of the pictures, which a terminal does not show."""

NEXT = (
    "dynamaze watch DynaMazeShortcut-v0 --agents DynaQ DynaQPlus",
    "dynamaze bench run compare --agent DynaQ DynaQPlus --env DynaMazeShortcut-v0",
    "dynamaze figures",
)
"""The next three commands."""

NEXT_TEXTS = (
    "the same in a window, at any speed",
    "a hundred runs, with intervals",
    "the figures of chapter 8",
)


@dataclass(frozen=True)
class Demo:
    """Watch Dyna-Q, Dyna-Q+ and a built-in student adapt to changes, in the terminal.

    Dyna-Q and Dyna-Q+ learn the blocking maze, where the short path is blocked at step 1000, and
    the shortcut maze, where a shorter path opens at step 3000. The student has 43 frozen numbers
    and keeps a map. At the end a table shows the exact regret: the expected discounted return that
    the actions lost, compared with optimal ones. It takes some seconds, the compilation included.
    """

    steps: Annotated[Steps | None, tyro.conf.arg(metavar="N")] = None
    """Steps in each maze. By default 3000 in the blocking maze and 6000 in the shortcut maze."""
    seed: Seed32 = 0
    """Seed of the agents."""


class Result(NamedTuple):
    """Result of one agent in one maze, before and after the change."""

    env_id: str
    agent: str
    goals: tuple[int, int]
    regret: tuple[float, float]


def agents(seed: int) -> dict[str, Callable[[gym.Env[Any, Any]], Watchable]]:
    """Return the agents' factories by name."""
    options: dict[str, Any] = {
        "planning_steps": 50,
        "learning_rate": 1.0,
        "gamma": GAMMA,
        "seed": seed,
    }
    return {
        "Dyna-Q": partial(DynaQ, **options),
        "Dyna-Q+": partial(DynaQPlus, **options),
        "student": lambda env: MapPolicyAgent(env, load_policy(STUDENT), STUDENT, seed),
    }


class Race:
    """Agents that take their steps together, each in a copy of one maze.

    Args:
        env_id: id of the maze.
        steps: steps of each agent.
        factories: the agents' factories by name.

    Attributes:
        env_id: id of the maze.
        span: steps of each agent.
        num_steps: steps that were taken.
        runs: runs of the agents.
        events: what happened.
    """

    def __init__(
        self,
        env_id: str,
        steps: int,
        factories: Mapping[str, Callable[[gym.Env[Any, Any]], Watchable]],
    ) -> None:
        self.env_id, self.num_steps, self.span = env_id, 0, steps
        self.runs = [
            WatchedRun(name, make_env(env_id), factory, gamma=GAMMA, max_size=PICTURE_SIZE)
            for name, factory in factories.items()
        ]
        self.events = EventLog(self.runs)
        self._goals = np.zeros((len(self.runs), 2), dtype=np.int64)
        self._before: list[float] | None = None  # regret at the change
        for run in self.runs:
            run.keep_snapshots(False)

    def advance(self) -> Iterator[str]:
        """Take all steps; yield the latest event after each of them."""
        for steps in islice(zip(*(run.steps() for run in self.runs), strict=True), self.span):
            for number, (run, step) in enumerate(zip(self.runs, steps, strict=True)):
                run.add(step)
                self._goals[number, int(self._before is not None)] += step.terminated
            self.num_steps += 1
            self.events.add(steps)
            if self.events.changes and self._before is None:
                self._before = [run.regret.last for run in self.runs]
            yield self.events.latest

    def results(self) -> list[Result]:
        """Return the result of each agent; NaN after the change if the maze has not changed."""
        found = []
        for number, run in enumerate(self.runs):
            first, total = run.regret.last, run.regret.last
            rest = float("nan")
            if self._before is not None:
                first = self._before[number]
                rest = total - first
            before, after = self._goals[number].tolist()
            found.append(Result(self.env_id, run.name, (before, after), (first, rest)))
        return found

    def picture(self) -> RenderableType:
        """Return the mazes side by side, each with its agent's goals and regret."""
        grid = Table.grid(*(["agent"] * len(self.runs)), padding=(0, 2))
        for column in grid.columns:
            column.width = COLUMNS
        top = max(run.regret.last for run in self.runs)
        grid.add_row(*(Text(run.name, style="bold") for run in self.runs))
        grid.add_row(*map(maze_text, self.runs))
        grid.add_row(
            *(
                Text(f"goals {goals}  regret {format_regret(run.regret.last)}")
                for run, goals in zip(self.runs, self._goals.sum(axis=1).tolist(), strict=True)
            )
        )
        grid.add_row(*(Text(sparkline(run, self.span, top), style="yellow") for run in self.runs))
        title = f"{self.env_id}, step {self.num_steps:,} of {self.span:,}"
        return Group(Text(title, style="bold"), Text(self.events.latest), grid, Text())


def maze_text(run: WatchedRun) -> Text:
    """Return the maze of a run with its agent's values, in colors."""
    run.view.update_overlays(OVERLAYS)
    assert run.view.maze is not None
    return Text.from_ansi(scene_to_color_text(run.view.maze.scene()))


def sparkline(run: WatchedRun, span: int, top: float) -> str:
    """Return the regret of a run over its steps as bars; `top` is the height of the largest."""
    steps, regret = run.regret.points()
    columns = np.linspace(0, span, 2 * 9)  # as wide as the maze
    shown = columns[columns <= run.regret.num_steps]
    heights: FloatArray = np.interp(shown, steps, regret) / max(top, 1e-9)
    return "".join(BARS[round(float(height) * (len(BARS) - 1))] for height in heights)


def main(config: Demo) -> None:
    """Show the agents in both mazes, then the table and the next commands."""
    console = Console()
    results: list[Result] = []
    for env_id, usual in MAZES.items():
        race = Race(env_id, config.steps or usual, agents(config.seed))
        show = draw_live if console.is_terminal and not console.is_dumb_terminal else print_events
        show(console, race)
        results += race.results()
    console.print(result_table(results))
    console.print(
        f"One run each, seed {config.seed}. Regret (exact): expected discounted return lost."
    )
    console.print("\nNext:")
    for command, text in zip(NEXT, NEXT_TEXTS, strict=True):
        console.print(f"  # {text}\n  {command}", highlight=False, soft_wrap=True)


def draw_live(console: Console, race: Race) -> None:
    """Take the steps of a race, and draw it meanwhile."""
    events = race.advance()
    first = list(islice(events, 1))  # compiles, with a notice, before the terminal is drawn on
    interval = max(race.span // FRAMES, 1)
    with Live(console=console, auto_refresh=False) as live:
        shown = time.monotonic()
        for number, _ in enumerate(chain(first, events)):
            if number % interval == 0 or number == race.span - 1:
                time.sleep(max(FRAME_SECONDS - (time.monotonic() - shown), 0.0))
                live.update(race.picture(), refresh=True)
                shown = time.monotonic()


def print_events(console: Console, race: Race) -> None:
    """Take the steps of a race, and print a line for each event."""
    console.print(f"{race.env_id}: {race.span:,} steps", highlight=False)
    latest = ""
    for event in race.advance():
        if event != latest:
            latest = event
            console.print(f"  step {race.num_steps:,}: {event}", highlight=False, soft_wrap=True)


def result_table(results: list[Result]) -> Table:
    """Return the goals and the regret of each agent in each maze, before and after its change."""
    table = Table("maze", "agent", title="before and after the change of each maze")
    for title in ("goals\nbefore", "goals\nafter", "regret\nbefore", "regret\nafter"):
        table.add_column(title, justify="right")
    last = ""
    for row in results:
        numbers = [str(goals) for goals in row.goals]
        if np.isnan(row.regret[1]):
            numbers[1] = "-"
        if last and row.env_id != last:
            table.add_section()
        regrets = map(format_regret, row.regret)
        table.add_row("" if row.env_id == last else row.env_id, row.agent, *numbers, *regrets)
        last = row.env_id
    return table
