"""How fast the learners are: Gaussian process, ensemble, deep belief network."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.agents.learners import DeepBelief, GaussianProcess, ProbabilisticEnsemble

from .timing import Row, seconds, timed_in_turn

FloatArray = npt.NDArray[np.float64]

TRANSITIONS = 2000
SAMPLES = 1000
POINTS = 1000


def gaussian_processes(repeats: int) -> list[Row]:
    """Learning 2000 transitions of 2 inputs and 3 outputs, one more point, and 1000 samples."""
    inputs, targets = experience(TRANSITIONS)
    rng = np.random.default_rng(0)
    fits, exact = [], []
    for _ in range(repeats):
        learner = GaussianProcess(2, 3)
        fits.append(seconds(partial(learner.update, inputs, targets)))
        whole = GaussianProcess(2, 3, budget=TRANSITIONS + 1)
        exact.append(seconds(partial(whole.update, inputs, targets)))
    full = GaussianProcess(2, 3, budget=2 * POINTS)
    full.update(inputs[:POINTS], targets[:POINTS])
    appends = [
        seconds(partial(full.update, inputs[[row]], targets[[row]]))
        for row in range(POINTS, POINTS + 100)
    ]
    sampled = GaussianProcess(2, 3)
    sampled.update(inputs[: POINTS - 1], targets[: POINTS - 1])
    samples = [seconds(partial(sampled.draw, inputs[:SAMPLES], rng)) for _ in range(4 * repeats)]
    return [
        _row(f"GP, {TRANSITIONS} transitions", fits, "ms", 10),
        _row(f"GP, {TRANSITIONS} transitions, all kept", exact, "ms", 10),
        _row(f"GP, one more point at {POINTS}", appends, "us", 1e-3),
        _row(f"GP, {SAMPLES} samples at {POINTS}", samples, "ms", 50e-3),
    ]


def ensembles(repeats: int) -> list[Row]:
    """A gradient step of seven members beside that of one, and predictions."""
    inputs, targets = experience(TRANSITIONS)
    learners: list[Any] = [
        ProbabilisticEnsemble(2, 3, members=members, batch_size=256, steps_per_row=0)
        for members in (7, 1)
    ]
    for learner in learners:
        learner.update(inputs, targets)
    ours, theirs = (learner.gradient_step for learner in learners)
    pair = timed_in_turn(ours, theirs, 20 * repeats, warm_up=10)
    one = [seconds(partial(learners[0].predict, inputs[:1])) for _ in range(20 * repeats)]
    rng = np.random.default_rng(0)
    samples = [seconds(partial(learners[0].draw, inputs[:SAMPLES], rng)) for _ in range(repeats)]
    return [
        Row(
            "ensemble of 7, a step, batch 256",
            f"{pair.ours * 1e3:.2f} ms",
            "one member",
            f"{pair.theirs * 1e3:.2f} ms",
            f"{1 / pair.ratio:.1f} of its time",
            "<= 2 of its time",
            1 / pair.ratio <= 2,
        ),
        _row("ensemble of 7, one prediction", one, "us"),
        _row(f"ensemble of 7, {SAMPLES} samples", samples, "ms"),
    ]


def deep_belief_networks(repeats: int) -> list[Row]:
    """Pre-training and tuning anew, an example between trainings, and 1000 samples."""
    inputs, targets = experience(TRANSITIONS)
    learner = DeepBelief(2, 3)
    learner.update(inputs, targets)
    trainings = [seconds(learner.train) for _ in range(repeats)]
    examples = [
        seconds(partial(learner.update, inputs[[row]], targets[[row]])) for row in range(100)
    ]
    rng = np.random.default_rng(0)
    samples = [seconds(partial(learner.draw, inputs[:SAMPLES], rng)) for _ in range(repeats)]
    return [
        _row("deep belief network, training anew", trainings, "ms"),
        _row("deep belief network, one example", examples, "us"),
        _row(f"deep belief network, {SAMPLES} samples", samples, "ms"),
    ]


def experience(number: int) -> tuple[FloatArray, FloatArray]:
    """(number, 2) inputs and (number, 3) noisy targets of a smooth function."""
    rng = np.random.default_rng(0)
    inputs = rng.uniform(-1, 1, (number, 2))
    x, y = inputs.T
    targets = np.stack([np.sin(3 * x) * y, np.cos(2 * y), x**2], axis=1)
    return inputs, targets + 0.05 * rng.standard_normal(targets.shape)


def _row(what: str, times: list[float], unit: str, reach: float | None = None) -> Row:
    """The line of some calls' median seconds; without `reach` it is only told."""
    scale = {"ms": 1e3, "us": 1e6}[unit]
    took = float(np.median(times))
    target = "" if reach is None else f"<= {reach * scale:.0f} {unit}"
    met = reach is None or took <= reach
    return Row(what, f"{took * scale:.1f} {unit}", "", "", "", target, met)


MEASUREMENTS: tuple[Callable[[int], list[Row]], ...] = (
    gaussian_processes,
    ensembles,
    deep_belief_networks,
)
