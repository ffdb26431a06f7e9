"""Speed of the learners on one thread: Gaussian process, ensemble, deep belief network."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from importlib import import_module
from statistics import median
from typing import Any

import numpy as np

from dynamaze.benchmarks.harness.timing import (
    Measure,
    PairedTiming,
    SpeedRow,
    median_seconds,
    seconds,
    time_alternately,
    time_row,
    with_libraries,
)
from dynamaze.common.arrays import FloatArray
from dynamaze.common.threads import one_blas_thread, one_torch_thread

TRANSITIONS = 2000
SAMPLES = 1000
POINTS = 1000
BATCH = 256


def on_one_thread(*libraries: str) -> Callable[[Measure], Measure]:
    """Decorate a measurement to run on one thread; a missing library gives one row."""

    def decorate(measure: Measure) -> Measure:
        @with_libraries(*libraries)
        @wraps(measure)
        def measured(repeats: int) -> list[SpeedRow]:
            with one_blas_thread(), one_torch_thread():
                return measure(repeats)

        return measured

    return decorate


@on_one_thread("scipy")
def gaussian_processes(repeats: int) -> list[SpeedRow]:
    """Fit of 2000 transitions of 2 inputs and 3 outputs, one more point, and 1000 samples."""
    from dynamaze.agents.learners import GaussianProcess

    inputs, targets = toy_data(TRANSITIONS)
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
        for row in range(POINTS, min(POINTS + 100, TRANSITIONS))
    ]
    sampled = GaussianProcess(2, 3)
    sampled.update(inputs[: POINTS - 1], targets[: POINTS - 1])
    samples = median_seconds(partial(sampled.draw, inputs[:SAMPLES], rng), 4 * repeats)
    return [
        time_row(f"GP, {TRANSITIONS} transitions", median(fits), "ms", 10),
        time_row(f"GP, {TRANSITIONS} transitions, all kept", median(exact), "ms", 10),
        time_row(f"GP, one more point at {POINTS}", median(appends), "us", 1e-3),
        time_row(f"GP, {SAMPLES} samples at {POINTS}", samples, "ms", 50e-3),
    ]


@on_one_thread("torch")
def ensembles(repeats: int) -> list[SpeedRow]:
    """Gradient step of seven members against one, and predictions.

    The single member is measured with the same code, and in plain torch. Seven take more than twice
    the time of one by the same code, because they have seven times its arithmetic and share only
    the overhead of calls: the matrix products between their hidden layers alone, at the processor's
    peak rate, take 1.5 to 1.8 times the whole step of one member, as their row shows.
    """
    from dynamaze.agents.learners import ProbabilisticEnsemble, TrainingSettings

    inputs, targets = toy_data(TRANSITIONS)
    settings = TrainingSettings(batch_size=BATCH)
    seven, one = (
        ProbabilisticEnsemble(2, 3, members=members, settings=settings, steps_per_row=0)
        for members in (7, 1)
    )
    for learner in (seven, one):
        learner.update(inputs, targets)
    plain = plain_member(inputs, targets, seven.hidden, seven.settings.learning_rate)
    step, many = seven.gradient_step, 20 * repeats
    own, other, products = (
        time_alternately(ours, baseline, many, warm_up=10)
        for ours, baseline in (
            (step, one.gradient_step),
            (step, plain),
            (matrix_products(seven.hidden, seven.members), one.gradient_step),
        )
    )
    alone = median_seconds(partial(seven.predict, inputs[:1]), many)
    rng = np.random.default_rng(0)
    samples = median_seconds(partial(seven.draw, inputs[:SAMPLES], rng), repeats)
    return [
        _step_row("a step", "one member, by the same code", own),
        _step_row("the products of a step", "one member, by the same code", products),
        _step_row("a step", "one member, plain torch", other, 2.0),
        time_row("ensemble of 7, one prediction", alone, "us"),
        time_row(f"ensemble of 7, {SAMPLES} samples", samples, "ms"),
    ]


def matrix_products(hidden: tuple[int, ...], members: int) -> Callable[[], Any]:
    """Return a function of the three products between the hidden layers in a gradient step."""
    below, above = hidden
    rng = np.random.default_rng(0)
    weight, rows, slope = (
        rng.standard_normal((members, *shape), dtype=np.float32)
        for shape in ((above, below), (below, BATCH), (above, BATCH))
    )
    total, weight_slope, rows_slope = map(np.empty_like, (slope, weight, rows))

    def multiply() -> None:
        np.matmul(weight, rows, out=total)
        np.matmul(slope, rows.mT, out=weight_slope)
        np.matmul(weight.mT, slope, out=rows_slope)

    return multiply


def plain_member(
    inputs: FloatArray, targets: FloatArray, hidden: tuple[int, ...], learning_rate: float
) -> Callable[[], Any]:
    """Return a gradient step of a mean-variance network in plain torch, which returns its loss."""
    torch: Any = import_module("torch")
    rows, values = torch.from_numpy(inputs).float(), torch.from_numpy(targets).float()
    generator = torch.Generator().manual_seed(0)
    layers: list[Any] = []
    width = rows.shape[1]
    for units in hidden:
        layers += [torch.nn.Linear(width, units), torch.nn.SiLU()]
        width = units
    network = torch.nn.Sequential(*layers, torch.nn.Linear(width, 2 * values.shape[1]))
    optimiser = torch.optim.Adam(network.parameters(), lr=learning_rate)
    loss = torch.nn.GaussianNLLLoss()

    def step() -> Any:
        drawn = torch.randint(len(rows), (min(BATCH, len(rows)),), generator=generator)
        mean, log_variance = network(rows[drawn]).split(values.shape[1], dim=1)
        optimiser.zero_grad()
        misfit = loss(mean, values[drawn], log_variance.exp())
        misfit.backward()
        optimiser.step()
        return misfit.detach()

    return step


@on_one_thread("torch")
def deep_belief_networks(repeats: int) -> list[SpeedRow]:
    """Pre-training and fine-tuning, an example between trainings, and 1000 samples."""
    from dynamaze.agents.learners import DeepBelief

    inputs, targets = toy_data(TRANSITIONS)
    learner = DeepBelief(2, 3)
    learner.update(inputs, targets)
    training = median_seconds(learner.train, repeats)
    examples = [
        seconds(partial(learner.update, inputs[[row]], targets[[row]]))
        for row in range(min(100, TRANSITIONS))
    ]
    rng = np.random.default_rng(0)
    samples = median_seconds(partial(learner.draw, inputs[:SAMPLES], rng), repeats)
    return [
        time_row("deep belief network, training", training, "ms"),
        time_row("deep belief network, one example", median(examples), "us"),
        time_row(f"deep belief network, {SAMPLES} samples", samples, "ms"),
    ]


def toy_data(number: int) -> tuple[FloatArray, FloatArray]:
    """Return (number, 2) inputs and (number, 3) noisy targets of a smooth function."""
    rng = np.random.default_rng(0)
    inputs = rng.uniform(-1, 1, (number, 2))
    x, y = inputs.T
    targets = np.stack([np.sin(3 * x) * y, np.cos(2 * y), x**2], axis=1)
    return inputs, targets + 0.05 * rng.standard_normal(targets.shape)


def _step_row(
    ours: str, baseline: str, pair: PairedTiming, target: float | None = None
) -> SpeedRow:
    share = 1 / pair.ratio
    return SpeedRow(
        f"ensemble of 7, {ours}, batch {BATCH}",
        f"{pair.ours * 1e3:.2f} ms",
        baseline,
        f"{pair.baseline * 1e3:.2f} ms",
        f"{share:.1f} of its time",
        "" if target is None else f"<= {target:.0f} of its time",
        target is None or share <= target,
    )


MEASUREMENTS: tuple[Measure, ...] = (
    gaussian_processes,
    ensembles,
    deep_belief_networks,
)
