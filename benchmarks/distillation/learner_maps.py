"""Batches of maps from runs of a student and its teacher, labelled by the teacher (DAgger)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.benchmarks.distillation.learner_runs import (
    EXPERT_SHARE,
    ROUNDS,
    RUNS,
    TRAINING,
    TRAINING_SIZES,
    Labels,
    MapExpert,
    MapTeacher,
    RunStepper,
    adaptation_envs,
    mixed_steps,
    run_generator,
    uniform,
)
from dynamaze.common.arrays import Float32Array, IntArray
from dynamaze.common.map_memory import BUMPED, NEVER, REWARDED, MapMemory
from dynamaze.common.validation import checked_integer
from dynamaze.distill.core.dataset import Batch, make_batch
from dynamaze.distill.core.map_state import map_of
from dynamaze.distill.core.policy import log_probabilities
from dynamaze.distill.data.source import Columns, ReplayBuffer
from dynamaze.distill.export.compiled.policy import build_policy
from dynamaze.distill.files.students import to_stored
from dynamaze.distill.students.map_value_iteration import AGE, EVENT, QUERIED

SHARE_KEPT = 0.1
"""Probability that a step's map is kept."""

OWN_WEIGHT = 10.0
"""Weight of the label in the agent's own cell; those in the other cells have weight 1."""

AGED_SHARE, LARGEST_POWER = 0.2, 1.45
"""Share of the maps that are aged, and the largest power of their ages: 400 becomes 5,926."""

SITUATIONS = ("goal", "unknown", "known")
"""Situations of an agent: a goal is known; there are unknown cells; neither."""


class LearnerMaps:
    """Batch source of maps that a student meets while it learns a maze, labelled by a teacher.

    Each round plays new runs with the student of that moment, or with the teacher at a share of the
    steps that falls during training (DAgger, Ross et al. 2011), and keeps some of the maps with the
    teacher's best actions in all cells that are not believed to be walls. The situations have equal
    shares of a batch: of all maps only a twentieth have neither a goal nor an unknown cell, and
    there the student must learn to look at what it has not seen for long. A fifth of the maps is
    aged (see `aged`), since the student shall also act in longer runs. Runs begin and end within a
    round, so that training resumes bit-identically.

    Args:
        student: the student that is trained, a `MapValueIteration`.
        teacher: makes the teacher of some runs: a `MapExpert`, or a `TableTeacher`.
        sizes: sides of the mazes; a batch is of one size.
        rounds: number of rounds.
        runs: runs of a round in mazes of one size.
        batch_size: maps of a batch.

    Raises:
        ValueError: for a number below 1.
    """

    levels = (TRAINING,)

    def __init__(
        self,
        student: Any,
        teacher: Callable[[], MapTeacher] = MapExpert,
        *,
        sizes: Sequence[int] = TRAINING_SIZES,
        rounds: int = ROUNDS,
        runs: int = RUNS,
        batch_size: int = 32,
    ) -> None:
        self.student, self._new_teacher, self.sizes = student, teacher, tuple(sizes)
        self.rounds = checked_integer("rounds", rounds, 1)
        self.runs = checked_integer("runs", runs, 1)
        self.batch_size = checked_integer("batch_size", batch_size, 1)
        self._played = 0  # rounds
        self._buffers = {
            size: {name: ReplayBuffer(2**17) for name in SITUATIONS} for size in self.sizes
        }

    def batch(self, rng: np.random.Generator, progress: float) -> Batch:
        """Play the rounds that are due, and sample maps of one size."""
        due = min(self.rounds, 1 + int(progress * self.rounds))
        while self._played < due:
            share = EXPERT_SHARE(self._played / max(1, self.rounds - 1))
            for size, buffers in self._buffers.items():
                maps = self._play(size, share, rng)
                situation = situations(maps["event"])
                for number, buffer in enumerate(buffers.values()):
                    if (situation == number).any():
                        buffer.add({name: each[situation == number] for name, each in maps.items()})
            self._played += 1
        size = self.sizes[int(rng.integers(len(self.sizes)))]
        known = [buffer for buffer in self._buffers[size].values() if len(buffer)]
        counts = rng.multinomial(self.batch_size, np.full(len(known), 1 / len(known)))
        parts = [buffer.sample(int(n), rng) for buffer, n in zip(known, counts, strict=True)]
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return labelled_maps(columns, size)

    def get_state(self) -> dict[str, Any]:
        """Return all maps and the number of rounds."""
        buffers = {
            f"{size} {name}": buffer.get_state() for size, name, buffer in self._named_buffers()
        }
        return {"buffers": buffers, "played": self._played}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore what `get_state` returned, from a source with the same sizes."""
        for size, name, buffer in self._named_buffers():
            buffer.set_state(state["buffers"][f"{size} {name}"])
        self._played = state["played"]

    def _named_buffers(self) -> Iterator[tuple[int, str, ReplayBuffer]]:
        for size, buffers in self._buffers.items():
            for name, buffer in buffers.items():
                yield size, name, buffer

    def _play(self, size: int, share: float, rng: np.random.Generator) -> Columns:
        """Play runs in mazes of one size, and return the maps that are kept."""
        policy, teacher = build_policy(to_stored(self.student)), self._new_teacher()
        policy.grid = teacher.grid = (size, size)
        envs = adaptation_envs(run_generator(size), self.runs, TRAINING)
        stepper = RunStepper(envs, seed=int(rng.integers(2**31)))
        kept: list[Columns] = []
        for _ in mixed_steps(policy, teacher, stepper, share, rng):
            assert teacher.memory is not None
            cells = stepper.observations[:, 0].astype(np.int64)
            chosen = stepper.acts & (rng.random(self.runs) < SHARE_KEPT)
            states = aged(teacher.memory[chosen], rng)
            kept.append(_columns(states, cells[chosen], teacher.labels(states, chosen)))
        envs.close()
        return {name: np.concatenate([each[name] for each in kept]) for name in kept[0]}


def aged(states: Float32Array, rng: np.random.Generator) -> Float32Array:
    """Return a copy of states, some of which are older: as if of longer runs.

    Ages in such a map, but those of walls, are raised to a random power. Their order stays, recent
    events stay recent, and old ones have the ages of runs of thousands of steps.

    Args:
        states: (maps, numbers), see `map_state`.
        rng: draws the maps, `AGED_SHARE` of them, and their powers, up to `LARGEST_POWER`.
    """
    older = states.copy()
    memory = map_of(older)
    power = rng.uniform(1.0, LARGEST_POWER, size=len(older))
    power[rng.random(len(older)) >= AGED_SHARE] = 1.0
    age = memory.clock[:, None] - memory.time
    # To the expert a wall older than 400 moves is none: greater ages teach nothing of walls. With
    # them too, students of seeds 1 and 2 had 0.59 and 0.48 of its reward in 21x21 mazes.
    age = np.where(memory.event == BUMPED, age, np.rint(age ** power[:, None]))
    memory.clock[:] = np.rint(memory.clock**power)
    memory.time[:] = memory.clock[:, None] - age
    return older


def _columns(states: Float32Array, cells: IntArray, labels: Labels) -> Columns:
    """Return maps with their labels, as small numbers."""
    memory: MapMemory = map_of(states)
    return {
        "event": memory.event.astype(np.uint8),
        "age": (memory.clock[:, None] - memory.time).astype(np.uint16),
        "cell": cells.astype(np.uint16),
        "best": np.packbits(labels.best, axis=2)[:, :, 0],
        "length": labels.length.astype(np.uint16),
    }


def situations(event: npt.NDArray[np.uint8]) -> IntArray:
    """Return the index in `SITUATIONS` of each of (maps, cells) last events."""
    goal, unknown = (event == REWARDED).any(axis=1), (event == NEVER).any(axis=1)
    return np.where(goal, 0, np.where(unknown, 1, 2))


def labelled_maps(columns: Columns, size: int) -> Batch:
    """Return maps as planes, with the labels of all cells that are not believed to be walls."""
    count, event = len(columns["event"]), columns["event"]
    own = columns["cell"][:, None] == np.arange(size * size)
    queried = ((event != BUMPED) | own) & (columns["length"] > 0)
    planes = np.zeros((count, 3, size * size), dtype=np.float32)
    planes[:, EVENT], planes[:, AGE] = event, columns["age"]
    planes[:, QUERIED] = queried * columns["length"]
    best = np.unpackbits(columns["best"][queried][:, None], axis=1, count=4).astype(np.bool_)
    weights = np.where(own, OWN_WEIGHT, 1.0)[queried]
    return make_batch(
        planes.reshape(count, 3, size, size), log_probabilities(uniform(best)), weights
    )
