"""`dynamaze distill labels`: what soft labels and weights are worth to a student.

Two questions. The teacher knows the exact value of each action; its logits are these values divided
by a temperature.

Few labels: a student has seen a few states of open ground with the teacher's answers, and is judged
on ground that it has not seen. The floor is slippery, so that the teacher has preferences of all
strengths. Hard labels say which action is best; soft ones also how much worse the others are. The
same states and first weights for each loss, so that losses differ by pairs.

Weights: a student that is nearly too small learns all states of all `crossings`, and is judged on
them: whether it helps that states count by how sure the teacher is (`margin`) or by how much
depends on the choice (`criticality`), against counting alike. In most states several ways are
alike, and the teacher shares its probability among them; a student pays as much for preferring one
of them as for doubt where only one is right, though it loses nothing. Where it can be right only in
part, weights say where. Each way of weighting has the same first weights, several of them, and goes
on with those that did best by its own loss.

Judged is the share of the best discounted return that a student's best actions keep, from every
state, exactly: the Bellman equations of its policy are solved, and nothing is played.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.figure import Figure

from dynamaze.distill.data import Dataset, make_batch
from dynamaze.distill.distiller import Distiller
from dynamaze.distill.losses import Loss, criticality, kl, margin, mse, nll, weighted
from dynamaze.distill.restarts import best_start
from dynamaze.distill.students.base import Student
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.teachers import ActionValues, teacher_answers
from dynamaze.envs.dynamics import Dynamics
from dynamaze.envs.exact import optimal_action_values
from dynamaze.envs.generation import GeneratedMaze, MazeRecipe
from dynamaze.envs.layout import Layout, Rewards
from dynamaze.envs.mdp import FiniteMDP
from dynamaze.envs.observations import ObservationLike, make_observation

from .asked_mazes import HELD_OUT, TRAINING
from .judging import GAMMA
from .runner import OnRun, Storing, check_runs, kept_folder, run_alone, work
from .statistics import mean_interval
from .table import Table, rows_where, stack

HARD = "hard labels"
LABELS: dict[str, Loss] = {
    HARD: nll,
    "KL, temperature 1": kl(1),
    "KL, temperature 2": kl(2),
    "KL, temperature 4": kl(4),
    "centred logits": mse,
}

ALIKE = "alike"
WEIGHTS: dict[str, Loss] = {
    ALIKE: kl(),
    "by margin": weighted(kl(), margin, floor=0.2),  # nowhere 0: the worst actions are never alike
    "by criticality": weighted(kl(), criticality),
}

SLIP = 0.2

CAPTION = "share of the best return kept, mean over seeds and 95% interval; differences by pairs"


class Study(NamedTuple):
    """How the students of a question learn."""

    observation: ObservationLike
    temperature: float  # of the teacher, in units of return
    width: int  # units of the student
    steps: int  # gradient steps
    learning_rate: float
    batch_size: int


FEW = Study({"kind": "window", "radius": 7}, 0.05, 32, 500, 3e-3, 64)
"""All of the open ground is in the window: the goal's place beside the agent's, and the edges."""

OPEN_GROUND = MazeRecipe(8, "empty")
"""No wall, and the goal anywhere."""

LEVELS = 300
"""Levels of open ground that states are labelled in."""

TINY = Study({"kind": "window", "radius": 3}, 0.005, 3, 4000, 3e-2, 512)
"""Three units, between 98 inputs and 4 actions."""

SIDE = 7
"""Of the crossings."""

STARTS = 6
"""First weights that a tiny student chooses from, each tried for half of its steps."""

JUDGED = 40
"""Levels that few labels are judged on."""


@dataclass(frozen=True)
class Labels(Storing):
    """What soft labels are worth where labels are few, and weights where a student is tiny."""

    name: ClassVar[str] = "labels"

    runs: int = 16
    """Seeds: other first weights and batches, and other labelled states."""
    labelled: tuple[int, ...] = (25, 50, 100, 200)
    """Numbers of labelled states."""
    few_steps: int = FEW.steps
    """Gradient steps of a student with few labels."""
    tiny_steps: int = TINY.steps
    """Gradient steps of a tiny student."""
    seed: int = 0
    """Settles every number."""
    workers: int = 1
    """Processes, each on one core."""

    @property
    def total_runs(self) -> int:
        """Seeds of both questions together."""
        return 2 * self.runs


class Ground:
    """All states of some mazes: what is seen in them, and what is best.

    Args:
        mazes: the mazes.
        observation: what is seen, as in `DynaMazeGenerated-v0`.
        slip_probability: how often a step slips.

    Attributes:
        observations: (states, ...) of every free cell but the goal, maze by maze.
        values: (states, 4) what each action is worth, discounted by `GAMMA`.
    """

    def __init__(
        self,
        mazes: Iterable[GeneratedMaze],
        observation: ObservationLike,
        slip_probability: float,
    ) -> None:
        seen, values = [], []
        self._mazes: list[tuple[FiniteMDP, npt.NDArray[np.int64]]] = []
        for maze in mazes:
            layout = Layout(
                maze.walls, (maze.start,), (maze.goal,), Rewards.of(1, 0, None), slip_probability
            )
            states = np.flatnonzero(layout.distances.ravel() > 0)
            form = make_observation(observation, layout)
            form.load(0, layout)
            seen.append(form.many(states, np.zeros_like(states)))
            values.append(optimal_action_values(layout, GAMMA)[states])
            self._mazes.append((Dynamics(layout).mdp, states))
        self.observations = np.concatenate(seen)
        self.values = np.concatenate(values)

    def labelled_by(self, temperature: float) -> Any:
        """(states, 4) logits of the teacher, which is asked about every state."""
        teacher = ActionValues(lambda _: self.values, temperature)
        return teacher_answers(teacher, self.observations, 4)

    def kept(self, logits: Any) -> float:
        """The share of the best return that the best actions keep from all states.

        Args:
            logits: (states, 4); of equal ones the first counts.

        Returns:
            The mean over mazes of the return summed over its states, against the best.
        """
        actions, shares, at = np.asarray(logits).argmax(axis=1), [], 0
        for mdp, states in self._mazes:
            here = slice(at, at + len(states))
            policy = np.zeros(mdp.next_state.shape[:2])
            policy[:, 0] = 1.0  # in walls and at the goal nothing is decided
            policy[states] = np.eye(4)[actions[here]]
            returns = mdp.policy_values(policy, GAMMA)[states]
            shares.append(returns.sum() / self.values[here].max(axis=1).sum())
            at = here.stop
        return float(np.mean(shares))


def crossings(side: int) -> list[GeneratedMaze]:
    """Every square maze with one wall across and one gap in it, from corner to corner.

    The walls are on odd rows or columns. With a side of 7 these are the 42 mazes of MiniGrid's
    SimpleCrossingS9N1 (Chevalier-Boisvert et al. 2023), whose side counts its border.
    """
    mazes = []
    for at in range(1, side - 1, 2):
        for gap in range(side):
            walls = np.zeros((side, side), dtype=np.bool_)
            walls[at] = True
            walls[at, gap] = False
            ends = ((0, 0), (side - 1, side - 1))
            mazes += [GeneratedMaze(walls, *ends), GeneratedMaze(walls.T, *ends)]
    return mazes


@cache
def few_ground() -> tuple[Ground, Ground]:
    """Where states are labelled, and where students of few labels are judged."""
    known = range(TRAINING.first, TRAINING.first + LEVELS)
    unseen = range(HELD_OUT.first, HELD_OUT.first + JUDGED)
    one, other = (
        Ground(map(OPEN_GROUND.make, levels), FEW.observation, SLIP) for levels in (known, unseen)
    )
    return one, other


@cache
def tiny_ground() -> Ground:
    """Where a tiny student learns and is judged; its floor is not slippery."""
    return Ground(crossings(SIDE), TINY.observation, 0.0)


def main(config: Labels) -> None:
    """Run the experiment, store its tables and picture, and say where they are.

    Raises:
        ValueError: for fewer than 2 runs, or a number of labelled states that there are not.
        OSError: if the output folder cannot be written.
    """
    check_runs(config.runs)
    most = LEVELS * (OPEN_GROUND.shape[0] * OPEN_GROUND.shape[1] - 1)
    for number in config.labelled:
        if not 1 <= number <= most:
            raise ValueError(f"labelled={number}; expected between 1 and {most} states")
    keep = kept_folder(config)
    run_alone(__name__, config, title="Labels and weights", caption=CAPTION, keep=keep)


def run(config: Labels, on_run: OnRun = None, keep: Path | None = None) -> dict[str, Table]:
    """Run the experiment.

    Returns:
        A row for each run, number of labelled states and loss: kept; and with `_weights` behind
        the name a row for each run and weights: parameters, kept.
    """
    numbers = range(config.runs)
    jobs = [(config, kind, number) for kind in ("few", "tiny") for number in numbers]
    tables = work(trial, jobs, workers=config.workers, keep=keep, on_run=on_run)
    return {
        config.name: stack(tables[: config.runs]),
        f"{config.name}_weights": stack(tables[config.runs :]),
    }


def trial(config: Labels, kind: str, number: int) -> Table:
    """One seed of one of the questions."""
    torch.set_num_threads(1)
    sequence = np.random.SeedSequence([config.seed, number])
    seed = int(sequence.generate_state(1)[0] % 2**31)
    return few_labels(config, number, seed) if kind == "few" else tiny(config, number, seed)


def few_labels(config: Labels, number: int, seed: int) -> Table:
    """Every loss on the same labelled states, which more labels add to; judged on other levels."""
    known, unseen = few_ground()
    order = np.random.default_rng(seed).permutation(len(known.values))
    every = stored(known, FEW)
    rows: list[dict[str, Any]] = []
    for count in config.labelled:
        labels = every.take(order[:count])
        for name, loss in LABELS.items():
            student = taught(beginner(labels, FEW, seed), labels, loss, FEW, config.few_steps, seed)
            kept = unseen.kept(student.action_logits(unseen.observations))
            rows.append({"run": number, "labelled": count, "loss": name, "kept": kept})
    return _columns(rows)


def tiny(config: Labels, number: int, seed: int) -> Table:
    """Each way of weighting all states of all crossings; judged on the same."""
    ground, steps = tiny_ground(), config.tiny_steps
    every = stored(ground, TINY)
    starts = np.random.SeedSequence(seed).generate_state(STARTS).tolist()
    rows: list[dict[str, Any]] = []
    for name, loss in WEIGHTS.items():
        best, _ = best_start(
            [beginner(every, TINY, start) for start in starts],
            every,
            steps=-(-steps // 2),
            total_steps=steps,
            **settings(loss, TINY, seed),
        )
        student = taught(beginner(every, TINY, starts[best]), every, loss, TINY, steps, seed)
        kept = ground.kept(student.action_logits(ground.observations))
        parameters = student.num_parameters
        rows.append({"run": number, "weights": name, "parameters": parameters, "kept": kept})
    return _columns(rows)


def stored(ground: Ground, study: Study) -> Dataset:
    """All states with the teacher's answers."""
    labelled = ground.labelled_by(study.temperature)
    return Dataset(make_batch(ground.observations, labelled), batch_size=study.batch_size)


def beginner(labels: Dataset, study: Study, seed: int) -> MLP:
    """A student of the labels that has learned nothing; the seed settles its first weights."""
    return MLP(labels.rows.observations.shape[1:], 4, study.width, seed=seed)


def taught(
    student: Student, labels: Dataset, loss: Loss, study: Study, steps: int, seed: int
) -> Student:
    """The student, trained; the same seed gives the same batches."""
    return (
        Distiller(student, labels, total_steps=steps, **settings(loss, study, seed))
        .distil()
        .student
    )


def settings(loss: Loss, study: Study, seed: int) -> dict[str, Any]:
    """Those of `Distiller` that trials of first weights and whole trainings have in common."""
    return {"loss": loss, "learning_rate": study.learning_rate, "device": "cpu", "seed": seed}


def _columns(rows: list[dict[str, Any]]) -> Table:
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


# -- the picture -------------------------------------------------------------------------------


def summary(tables: dict[str, Table], config: Labels) -> dict[str, list[tuple[str, ...]]]:
    """What each loss keeps and gains on hard labels; what weights gain on counting alike."""
    rows, tiny_rows = tables[config.name], tables[f"{config.name}_weights"]
    few: list[tuple[str, ...]] = [("labelled", "loss", "kept", "points above hard labels")]
    for count in np.unique(rows["labelled"]).tolist():
        few += [
            (str(count), *line)
            for line in _compared(rows_where(rows, "labelled", count), "loss", HARD)
        ]
    parameters = int(tiny_rows["parameters"][0])
    weights: list[tuple[str, ...]] = [("states count", "kept", "points above alike")]
    weights += _compared(tiny_rows, "weights", ALIKE)
    return {
        "Few labels, judged on unseen levels": few,
        f"Weights, a student of {parameters} parameters": weights,
    }


def _compared(rows: Table, column: str, base: str) -> list[tuple[str, ...]]:
    """Of each kind: its name, what it keeps, and its paired difference from one of them."""
    lines: list[tuple[str, ...]] = []
    for name in dict.fromkeys(rows[column].tolist()):
        own = 100 * rows_where(rows, column, name)["kept"]
        gain = own - 100 * rows_where(rows, column, base)["kept"]
        lines.append((name, _told(own, "{:.1f}%"), "-" if name == base else _told(gain, "{:+.1f}")))
    return lines


def _told(samples: Any, form: str) -> str:
    mean, low, high = (float(part) for part in mean_interval(samples))
    return f"{form.format(mean)} [{low:.1f}, {high:.1f}]"


def plot(tables: dict[str, Table], config: Labels) -> Figure:
    """Return kept against labelled states for each loss, and of each way of weighting."""
    rows, tiny_rows = tables[config.name], tables[f"{config.name}_weights"]
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    counts = np.unique(rows["labelled"])
    for name in dict.fromkeys(rows["loss"].tolist()):
        own = rows_where(rows, "loss", name)
        kept = np.stack([100 * rows_where(own, "labelled", count)["kept"] for count in counts], 1)
        mean, low, high = mean_interval(kept)
        style = "s--" if name == HARD else "o-"
        line = left.plot(counts, mean, style, label=name, markersize=4)
        left.fill_between(counts, low, high, color=line[0].get_color(), alpha=0.2, linewidth=0)
    left.set_xscale("log")
    left.set_xticks(counts, [str(count) for count in counts.tolist()])
    left.minorticks_off()
    left.set_xlabel("labelled states")
    left.set_ylabel("% of the best return kept")
    left.set_title("few labels, judged on unseen levels", fontsize=10)
    left.legend(frameon=False)
    names = list(dict.fromkeys(tiny_rows["weights"].tolist()))
    for at, name in enumerate(names):
        each = 100 * rows_where(tiny_rows, "weights", name)["kept"]
        mean, low, high = mean_interval(each)
        right.plot(at + np.linspace(-0.2, 0.2, len(each)), each, ".", color="silver", zorder=0)
        right.errorbar(
            at, mean, [[mean - low], [high - mean]], fmt="o", capsize=4, color="tab:blue"
        )
    right.axhline(99, color="grey", linestyle=":", label="99%")
    right.set_xticks(range(len(names)), names)
    right.set_ylabel("% of the best return kept")
    parameters = int(tiny_rows["parameters"][0])
    right.set_title(f"how states count, a student of {parameters} parameters", fontsize=10)
    right.legend(frameon=False)
    figure.suptitle(
        f"Labels and weights: mean of {len(set(rows['run'].tolist()))} seeds, 95% interval"
    )
    return figure
