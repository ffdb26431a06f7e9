"""Deep belief network for regression (Hinton, Osindero & Teh 2006).

Restricted Boltzmann machines are stacked and trained greedily on the inputs; their weights
initialise a network of logistic units, which is tuned by back-propagation on the targets (Hinton &
Salakhutdinov 2006). Differences:

1. It learns online. Whenever the number of rows seen has doubled, from 16 on, it is retrained in a
   fixed number of steps. In between only the last layer learns, exactly.
2. The last layer is a Bayesian linear regression on the highest hidden units (Bishop 2006, section
   3.3), which gives the uncertainty; the output layer of back-propagation only shapes the units.
3. Inputs without targets (`add_unlabelled`) contribute to the pre-training.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray
from dynamaze.common.deprecation import grouped_arguments
from dynamaze.common.optional_imports import optional_import
from dynamaze.common.threads import one_torch_thread
from dynamaze.common.validation import checked_choice, checked_count, checked_integer

from ..core.records import Stateful
from ..core.ring_buffer import RingBuffer
from .networks import Parameters, TrainingSettings, Units
from .protocol import BaseLearner, Estimate, checked_rows
from .rbm import stack

optional_import("torch", extra="models", purpose="DeepBelief")
import torch  # noqa: E402  # after the message that says how to get it

TRAIN_FROM = 16
"""Smallest number of rows for training the hidden units; below it they stay random."""

VISIBLE = ("binary", "gaussian")


class DeepBelief(BaseLearner):
    """Deep belief network with a Bayesian linear last layer.

    Suited to studies of pre-training without labels.

    Args:
        num_inputs: number of inputs.
        num_outputs: number of outputs.
        hidden: units of the hidden layers, from below.
        pretrain: train the layers as machines first; otherwise tuning starts from random weights
            (Glorot & Bengio 2010).
        visible: "gaussian" for standardised inputs, "binary" for inputs that are scaled to [0, 1]
            by the range seen, such as images.
        pretraining_steps: steps of contrastive divergence for each machine.
        tuning_steps: steps of back-propagation.
        settings: settings of back-propagation, of the buffers of rows with and without targets, and
            of the inputs' scale.
        seed: seed of all randomness.

    Raises:
        ValueError: if a number is outside its range, or for another kind of visible units.
        ImportError: if torch is missing.
    """

    state_fields: ClassVar = {
        "parameters": "parameters.",
        "memory": "memory.",
        "unlabelled": "unlabelled.",
        "last_layer": "last_layer.",
        "generator_state": "generator",
        "units": "",
        "_train_at": "train_at",
    }

    @grouped_arguments("settings", TrainingSettings)
    def __init__(
        self,
        num_inputs: int,
        num_outputs: int,
        *,
        hidden: tuple[int, ...] = (64, 64),
        pretrain: bool = True,
        visible: str = "gaussian",
        pretraining_steps: int = 500,
        tuning_steps: int = 1000,
        settings: TrainingSettings = TrainingSettings(),  # noqa: B008  # frozen
        seed: int = 0,
    ) -> None:
        super().__init__(num_inputs, num_outputs)
        self.visible = checked_choice("visible", visible, VISIBLE)
        self.hidden = tuple(checked_count("hidden", units) for units in hidden)
        if not self.hidden:
            raise ValueError("hidden=(); expected at least one layer")
        self.pretrain = pretrain
        self.pretraining_steps = checked_count("pretraining_steps", pretraining_steps, 0)
        self.tuning_steps = checked_count("tuning_steps", tuning_steps, 0)
        self.settings = settings
        inputs, targets = np.zeros((0, self.num_inputs)), np.zeros((0, self.num_outputs))
        self.memory = RingBuffer(self.settings.capacity, LabelledRows(inputs, targets))
        self.unlabelled = RingBuffer(self.settings.capacity, UnlabelledRows(inputs))
        self.units = Units.begin(self.num_inputs, self.num_outputs)
        # An own generator: torch's global one is never used.
        self._generator = torch.Generator().manual_seed(checked_integer("seed", seed, 0))
        sizes = (self.num_inputs, *self.hidden, self.num_outputs)
        shapes: dict[str, tuple[int, ...]] = {}
        for layer, (below, above) in enumerate(pairwise(sizes)):
            shapes[f"weight{layer}"], shapes[f"bias{layer}"] = (below, above), (above,)
        self.parameters = Parameters(shapes)
        self._initialise_weights()
        self.last_layer = LastLayer(self.hidden[-1] + 1, self.num_outputs)
        self._train_at = 1

    def add_unlabelled(self, inputs: npt.ArrayLike) -> None:
        """Store inputs (batch, inputs) without targets for the next pre-training.

        Raises:
            TypeError: if they are not real numbers.
            ValueError: for NaN, infinity or another shape; the learner is then unchanged.
        """
        self.unlabelled.add(UnlabelledRows(checked_rows("inputs", inputs, self.num_inputs)))

    def _learn(self, rows: FloatArray, targets: FloatArray) -> None:
        self.memory.add(LabelledRows(rows, targets))
        if self.memory.seen >= self._train_at:
            self.train()
        else:
            self.last_layer.update(self.features(rows), self.units.scaled_targets(targets))

    def train(self) -> None:
        """Retrain on all stored rows: machines, back-propagation, last layer.

        Raises:
            RuntimeError: if there are no targets to learn from.
        """
        if not self.memory.used:
            raise RuntimeError("nothing to learn from; expected an update first")
        inputs, targets = self.memory.rows
        everything = np.concatenate([inputs, self.unlabelled.rows.inputs])
        self.units = self._units_of(everything, targets)
        if len(inputs) >= TRAIN_FROM:
            with one_torch_thread():
                self._initialise_weights()
                if self.pretrain:
                    self._pretrain(everything)
                self._tune(inputs, self.units.scaled_targets(targets))
        self.last_layer = LastLayer(self.hidden[-1] + 1, self.num_outputs)
        self.last_layer.update(self.features(inputs), self.units.scaled_targets(targets))
        self.last_layer.choose_precision()
        self._train_at = 2 * self.memory.seen

    def features(self, inputs: FloatArray) -> FloatArray:
        """Return (batch, highest hidden units + 1) inputs of the last layer; the last one is 1."""
        arrays = self.parameters.arrays
        hidden = self.units.scaled_inputs(inputs).astype(np.float32)
        for layer in range(len(self.hidden)):
            half = 0.5 * (hidden @ arrays[f"weight{layer}"] + arrays[f"bias{layer}"])
            hidden = 0.5 + 0.5 * np.tanh(half)
        return np.concatenate([hidden.astype(np.float64), np.ones((len(inputs), 1))], axis=1)

    def _estimate(self, rows: FloatArray) -> Estimate:
        mean, epistemic, noise = self.last_layer.predict(self.features(rows))
        spread = self.units.spread
        return Estimate(self.units.offset + spread * mean, spread**2 * epistemic, spread**2 * noise)

    @property
    def generator_state(self) -> npt.NDArray[np.uint8]:
        """State of torch's generator."""
        state: npt.NDArray[np.uint8] = self._generator.get_state().numpy()
        return state

    @generator_state.setter
    def generator_state(self, state: npt.NDArray[np.uint8]) -> None:
        self._generator.set_state(torch.from_numpy(state))

    def _initialise_weights(self) -> None:
        for layer in range(len(self.hidden) + 1):
            weight = torch.from_numpy(self.parameters.arrays[f"weight{layer}"])
            weight.normal_(0, math.sqrt(2 / sum(weight.shape)), generator=self._generator)
            self.parameters.arrays[f"bias{layer}"][:] = 0
        self.parameters.reset_optimiser()

    def _units_of(self, inputs: FloatArray, targets: FloatArray) -> Units:
        units = Units.of(inputs, targets, self.settings.min_spread)
        if self.visible == "gaussian":
            return units
        span = np.ptp(inputs, axis=0)
        return units._replace(
            input_offset=inputs.min(axis=0), input_spread=np.where(span > 0, span, 1.0)
        )

    def _pretrain(self, inputs: FloatArray) -> None:
        machines = stack(
            torch.from_numpy(self.units.scaled_inputs(inputs)).float(),
            self.hidden,
            self.pretraining_steps,
            self._generator,
            gaussian=self.visible == "gaussian",
        )
        for layer, machine in enumerate(machines):
            self.parameters.arrays[f"weight{layer}"][:] = machine.weight.numpy()
            self.parameters.arrays[f"bias{layer}"][:] = machine.hidden_bias.numpy()

    def _tune(self, inputs: FloatArray, targets: FloatArray) -> None:
        rows = torch.from_numpy(self.units.scaled_inputs(inputs)).float()
        values = torch.from_numpy(targets).float()
        batch = (min(self.settings.batch_size, len(rows)),)
        tensors = self._tensors()
        for _ in range(self.tuning_steps):
            drawn = torch.randint(len(rows), batch, generator=self._generator)
            loss = (_forward(tensors, rows[drawn]) - values[drawn]).square().mean()
            self.parameters.gradients[:] = 0
            loss.backward()  # type: ignore[no-untyped-call]  # torch's own
            self.parameters.adam_step(self.settings.learning_rate)

    def _tensors(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Return torch weights and biases of each layer that share memory with the parameters."""
        tensors = {}
        for name, array in self.parameters.arrays.items():
            tensors[name] = torch.from_numpy(array).requires_grad_()
            tensors[name].grad = torch.from_numpy(self.parameters.slopes[name])
        layers = range(len(self.hidden) + 1)
        return [(tensors[f"weight{layer}"], tensors[f"bias{layer}"]) for layer in layers]


class LabelledRows(NamedTuple):
    """Rows with targets."""

    inputs: FloatArray  # (batch, inputs)
    targets: FloatArray  # (batch, outputs)


class UnlabelledRows(NamedTuple):
    """Rows without targets."""

    inputs: FloatArray  # (batch, inputs)


def _forward(layers: list[tuple[torch.Tensor, torch.Tensor]], rows: torch.Tensor) -> torch.Tensor:
    *below, (last_weight, last_bias) = layers
    for weight, bias in below:
        rows = torch.sigmoid(torch.addmm(bias, rows, weight))
    return torch.addmm(last_bias, rows, last_weight)


PRECISIONS = 10.0 ** np.arange(-4, 4)
"""Candidate prior precisions."""

PSEUDO_COUNT = 1.0
"""Weight, in targets, of a prior noise of one target spread."""


class LastLayer(Stateful):
    """Bayesian linear regression on features: the last layer of a network.

    Bishop 2006, "Pattern Recognition and Machine Learning", sections 3.3 and 3.5: the weights'
    prior has mean 0 and a precision, in units of the noise's, that maximises the evidence. All
    outputs share the precision matrix; each has its own noise. The weights follow in closed form
    from sums over examples.

    Args:
        num_features: number of inputs.
        num_outputs: number of outputs.
    """

    state_fields: ClassVar = {
        "count": "count",
        "precision": "precision",
        "_gram": "gram",
        "_cross": "cross",
        "_squares": "squares",
    }

    def __init__(self, num_features: int, num_outputs: int) -> None:
        self.count = 0
        self.precision = 1.0
        self._gram = np.zeros((num_features, num_features))
        self._cross = np.zeros((num_features, num_outputs))
        self._squares = np.zeros(num_outputs)
        self._solved: tuple[FloatArray, FloatArray, FloatArray] | None = None

    def update(self, features: FloatArray, targets: FloatArray) -> None:
        """Add examples: features (batch, features), targets (batch, outputs), both standardised."""
        self.count += len(features)
        self._gram += features.T @ features
        self._cross += features.T @ targets
        self._squares += (targets**2).sum(axis=0)
        self._solved = None

    def choose_precision(self) -> None:
        """Choose the prior precision of the largest evidence."""
        eigenvalues, vectors = np.linalg.eigh(self._gram)
        eigenvalues = np.maximum(eigenvalues, 0.0)[:, None]
        squared = (vectors.T @ self._cross) ** 2
        # Log evidence of each precision, up to a constant (Bishop 2006, section 3.5)
        evidence = []
        for precision in PRECISIONS:
            misfit = self._squares - (squared / (eigenvalues + precision)).sum(axis=0)
            noise = (np.maximum(misfit, 0.0) + PSEUDO_COUNT) / (self.count + PSEUDO_COUNT)
            sizes = np.log1p(eigenvalues / precision).sum() * len(noise)
            evidence.append(-(self.count + PSEUDO_COUNT) * np.log(noise).sum() - sizes)
        self.precision = float(PRECISIONS[np.argmax(evidence)])
        self._solved = None

    def predict(self, features: FloatArray) -> Estimate:
        """Return standardised mean and variances of features (batch, features)."""
        factor, weights, noise = self._solve()
        mean = features @ weights
        variance = (np.linalg.solve(factor, features.T) ** 2).sum(axis=0)[:, None]
        return Estimate(mean, variance * noise, np.broadcast_to(noise, mean.shape).copy())

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the state of `get_state`.

        Raises:
            ValueError: if it is another kind of state; this one is then unchanged.
        """
        super().set_state(state)
        self._solved = None

    def _solve(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        if self._solved is None:
            matrix = self._gram + self.precision * np.eye(len(self._gram))
            factor = np.asarray(np.linalg.cholesky(matrix), dtype=np.float64)
            half = np.asarray(np.linalg.solve(factor, self._cross), dtype=np.float64)
            misfit = np.maximum(self._squares - (half**2).sum(axis=0), 0.0)
            noise: FloatArray = (misfit + PSEUDO_COUNT) / (self.count + PSEUDO_COUNT)
            weights = np.asarray(np.linalg.solve(factor.T, half), dtype=np.float64)
            self._solved = factor, weights, noise
        return self._solved
