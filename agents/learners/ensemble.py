"""Ensemble of probabilistic networks (PETS; Chua, Calandra, McAllister & Levine 2018).

Each member predicts mean and log variance of each output, the latter within learned soft bounds.
Differences from the paper:

1. The members are one network with a further axis: a layer is one batched multiplication.
2. It learns online: each new row adds `steps_per_row` steps of Adam on batches from its buffer. A
   row counts Poisson(1) times for a member, the bootstrap of a data stream (Oza & Russell 2001).
3. Inputs and targets are restandardised whenever the number of rows seen has doubled; the first and
   last layer are rescaled to keep the function (van Hasselt et al. 2016).
4. There is no weight decay.

The gradients are written by hand: at this size automatic differentiation would double the time of a
step.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import Float32Array, FloatArray
from dynamaze.common.deprecation import grouped_arguments
from dynamaze.common.threads import one_blas_thread
from dynamaze.common.validation import checked_count, checked_integer, checked_number

from ..core.records import Stateful
from ..core.ring_buffer import RingBuffer
from .networks import Parameters, TrainingSettings, Units
from .protocol import FAR, BaseLearner, Estimate, checked_rows

BOUNDS = (-10.0, 0.5)
"""Initial soft bounds of the log variance, in target units (as in Chua et al.'s code)."""

BOUNDS_WEIGHT = 0.01
"""Weight of the bounds' distance in the loss (as in that code)."""

_FEW = 16  # rows below which limiting threads costs as much as predicting

_ROWS = 256  # rows predicted at a time, so that intermediate results fit the cache


class ProbabilisticEnsemble(BaseLearner):
    """Ensemble of networks that separates epistemic uncertainty (disagreement) from noise.

    Suited to noisy continuous dynamics with more experience than a Gaussian process can keep.

    Args:
        num_inputs: number of inputs.
        num_outputs: number of outputs.
        members: number of networks; their disagreement is the epistemic variance.
        hidden: units of the hidden layers.
        settings: settings of training; the rows of a batch are the same for all members.
        steps_per_row: gradient steps for each new row; may be a fraction.
        bootstrap: weight rows differently for each member; otherwise members differ in their
            initial weights only.
        seed: seed of initial weights, bootstrap and batches.

    Raises:
        ValueError: if a number is outside its range.
    """

    state_fields: ClassVar = {
        "networks": "",
        "memory": "memory.",
        "_rng": "generator",
        "units": "",
        "_owed": "owed",
        "_rescale_at": "rescale_at",
    }

    @grouped_arguments("settings", TrainingSettings)
    def __init__(
        self,
        num_inputs: int,
        num_outputs: int,
        *,
        members: int = 7,
        hidden: tuple[int, ...] = (64, 64),
        settings: TrainingSettings = TrainingSettings(),  # noqa: B008  # frozen
        steps_per_row: float = 2.0,
        bootstrap: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__(num_inputs, num_outputs)
        self.members = checked_count("members", members)
        self.hidden = tuple(checked_count("hidden", units) for units in hidden)
        self.settings = settings
        self.steps_per_row = checked_number("steps_per_row", steps_per_row, 0)
        self.bootstrap = bootstrap
        widths = (self.num_inputs, self.num_outputs, self.members)
        columns = WeightedRows(*(np.zeros((0, width)) for width in widths))
        self.memory = RingBuffer(self.settings.capacity, columns)
        self.units = Units.begin(self.num_inputs, self.num_outputs)
        self._rng = np.random.Generator(np.random.SFC64(checked_integer("seed", seed, 0)))
        sizes = (self.num_inputs, *self.hidden, self.num_outputs)
        self.networks = MemberNetworks(self.members, sizes, self._rng)
        self._owed = 0.0
        self._rescale_at = 1

    @property
    def steps(self) -> int:
        """Number of gradient steps so far."""
        return self.networks.parameters.steps

    def _learn(self, rows: FloatArray, targets: FloatArray) -> None:
        """Store the rows and take the gradient steps that they add."""
        shape = (len(rows), self.members)
        counts = np.ones(shape)
        if self.bootstrap:
            # Online bootstrap (Oza & Russell 2001)
            counts = self._rng.poisson(counts).astype(np.float64)
        self.memory.add(WeightedRows(rows, targets, counts))
        if self.memory.seen >= self._rescale_at:
            self._rescale()
        self._owed += self.steps_per_row * len(rows)
        steps = int(self._owed)
        self._owed -= steps
        with one_blas_thread():
            for _ in range(steps):
                self._step()

    def gradient_step(self) -> None:
        """Take one step of Adam on a batch from the buffer.

        Raises:
            RuntimeError: if the buffer is empty.
        """
        if not self.memory.used:
            raise RuntimeError("nothing to learn from; expected an update first")
        with one_blas_thread():
            self._step()

    def _step(self) -> None:
        number = min(self.settings.batch_size, self.memory.used)
        drawn = self._rng.integers(self.memory.used, size=number)
        inputs, targets, weights = (column[drawn] for column in self.memory.rows)
        self.networks.differentiate(
            self._scaled_inputs(inputs),
            _columns(self.units.scaled_targets(targets)),
            _columns(weights)[:, None],
        )
        self.networks.parameters.adam_step(self.settings.learning_rate)

    def _estimate(self, rows: FloatArray) -> Estimate:
        """Return the predictive mean and variances of the members' mixture."""
        mean, variance = self._predict_members(rows)
        return Estimate(mean.mean(axis=0), mean.var(axis=0), variance.mean(axis=0))

    def predict_members(self, inputs: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Return the (members, batch, outputs) means and variances of each member.

        Raises:
            TypeError: if they are not real numbers.
            ValueError: for NaN, infinity or another shape.
        """
        return self._predict_members(checked_rows("inputs", inputs, self.num_inputs))

    def _predict_members(self, rows: FloatArray) -> tuple[FloatArray, FloatArray]:
        mean, variance = np.empty((2, self.members, len(rows), self.num_outputs))
        with one_blas_thread() if len(rows) > _FEW else nullcontext():
            for first in range(0, len(rows), _ROWS):
                part = slice(first, first + _ROWS)
                found, log_variance = self.networks.forward(self._scaled_inputs(rows[part]))
                mean[:, part] = found.mT
                variance[:, part] = np.exp(log_variance.mT, dtype=np.float64)
        return self.units.offset + self.units.spread * mean, self.units.spread**2 * variance

    def _sample(self, rows: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Sample a random member for each row, with its noise (TS1)."""
        mean, variance = self._predict_members(rows)
        places = np.arange(len(rows))
        member = rng.integers(self.members, size=len(rows))
        noise = rng.standard_normal(mean.shape[1:])
        drawn: FloatArray = mean[member, places] + np.sqrt(variance[member, places]) * noise
        return drawn

    def _rescale(self) -> None:
        """Restandardise by the buffer; a trained function stays the same."""
        old, rows = self.units, self.memory.rows
        self.units = Units.of(rows.inputs, rows.targets, self.settings.min_spread)
        self._rescale_at = 2 * self.memory.seen
        if self.steps:
            self._keep_function(old, self.units)

    def _keep_function(self, old: Units, new: Units) -> None:
        """Transform the parameters from the old units to the new ones."""
        arrays, outputs = self.networks.parameters.arrays, self.num_outputs
        weight, bias = arrays["weight0"], arrays["bias0"]
        # Preserve outputs precisely under rescaling (van Hasselt et al. 2016, Pop-Art)
        moved = np.clip((new.input_offset - old.input_offset) / old.input_spread, -FAR, FAR)
        bias += weight @ moved.astype(np.float32)[:, None]
        weight *= np.clip(new.input_spread / old.input_spread, 1 / FAR, FAR)

        last = self.networks.layers - 1
        weight, bias = arrays[f"weight{last}"], arrays[f"bias{last}"]
        ratio = np.clip(old.spread / new.spread, 1 / FAR, FAR)[:, None]
        moved = np.clip((old.offset - new.offset) / new.spread, -FAR, FAR)[:, None]
        weight[:, :outputs] *= ratio
        bias[:, :outputs] = bias[:, :outputs] * ratio + moved
        bias[:, outputs:] += 2 * np.log(ratio)
        arrays["low"] += 2 * np.log(ratio)
        arrays["high"] += 2 * np.log(ratio)

    def _scaled_inputs(self, inputs: FloatArray) -> Float32Array:
        return _columns(self.units.scaled_inputs(inputs))


class WeightedRows(NamedTuple):
    """Rows of an ensemble's buffer."""

    inputs: FloatArray  # (batch, inputs)
    targets: FloatArray  # (batch, outputs)
    weights: FloatArray  # (batch, members)


def _columns(rows: FloatArray) -> Float32Array:
    """Return (width, batch) float32 of (batch, width): the networks' batch axis is the last."""
    columns: Float32Array = rows.T.astype(np.float32, order="C")
    return columns


class MemberNetworks(Stateful):
    """Networks whose parameters have a leading axis of members.

    Each network predicts mean and log variance of each output; the latter is kept within learned
    soft bounds. The batch is the last axis, so that biases and bounds are constant along contiguous
    memory.

    Args:
        members: number of networks.
        sizes: number of inputs, units of each hidden layer, number of outputs.
        rng: generator of the initial weights.

    Attributes:
        layers: number of weight layers.
        outputs: number of outputs; the last layer has their means, then their log variances.
        parameters: "weight0" (members, out, in), "bias0" (members, out, 1) and so on, and "low" and
            "high" (members, outputs, 1).
    """

    state_fields: ClassVar = {"parameters": "parameters."}

    def __init__(self, members: int, sizes: tuple[int, ...], rng: np.random.Generator) -> None:
        self.members, self.outputs, self.layers = members, sizes[-1], len(sizes) - 1
        sizes = (*sizes[:-1], 2 * sizes[-1])
        shapes: dict[str, tuple[int, ...]] = {}
        for layer in range(self.layers):
            shapes[f"weight{layer}"] = (members, sizes[layer + 1], sizes[layer])
            shapes[f"bias{layer}"] = (members, sizes[layer + 1], 1)
        shapes["low"] = shapes["high"] = (members, self.outputs, 1)
        self.parameters = Parameters(shapes)
        arrays = self.parameters.arrays
        for layer in range(self.layers):
            weight = arrays[f"weight{layer}"]
            deviation = np.float32(0.5 / math.sqrt(sizes[layer]))
            weight[:] = deviation * rng.standard_normal(weight.shape, dtype=np.float32)
        arrays["low"][:], arrays["high"][:] = BOUNDS
        self._buffers: dict[str, Float32Array] = {}

    def forward(self, rows: Float32Array) -> tuple[Float32Array, Float32Array]:
        """Return the (members, outputs, batch) means and log variances of (inputs, batch)."""
        outputs = self._activate(rows)[-1]
        low, high = self.parameters.arrays["low"], self.parameters.arrays["high"]
        log_variance = log_variances(outputs[:, self.outputs :], low, high)[0]
        return outputs[:, : self.outputs].copy(), log_variance

    def differentiate(
        self, rows: Float32Array, values: Float32Array, weights: Float32Array
    ) -> float:
        """Return the summed loss of the members, and write its gradient into the parameters.

        The loss is twice the negative log likelihood, averaged over rows and outputs, plus the
        bounds' term.

        Args:
            rows: (inputs, batch), standardised.
            values: (outputs, batch), standardised.
            weights: (members, 1, batch) weight of each row.
        """
        hidden = self._activate(rows)
        loss, slope = self._loss(hidden[-1], values, weights)
        arrays, slopes = self.parameters.arrays, self.parameters.slopes
        ones = np.ones((rows.shape[1], 1), dtype=np.float32)
        for layer in reversed(range(self.layers)):
            np.matmul(slope, hidden[layer].mT, out=slopes[f"weight{layer}"])
            np.matmul(slope, ones, out=slopes[f"bias{layer}"])
            if layer:
                below = self._buffer("slope", layer, *hidden[layer].shape[1:])
                np.matmul(arrays[f"weight{layer}"].mT, slope, out=below)
                slope = self._times_silu_slope(layer - 1, below)
        return loss

    def _activate(self, rows: Float32Array) -> list[Float32Array]:
        """Return the inputs of each layer, and the outputs of the last."""
        arrays, hidden = self.parameters.arrays, [rows]
        for layer in range(self.layers):
            weight, bias = arrays[f"weight{layer}"], arrays[f"bias{layer}"]
            total = self._buffer("total", layer, weight.shape[1], rows.shape[1])
            np.matmul(weight, hidden[-1], out=total)
            total += bias
            hidden.append(self._silu(layer, total) if layer < self.layers - 1 else total)
        return hidden

    def _silu(self, layer: int, total: Float32Array) -> Float32Array:
        """Return SiLU y = x s(x), with the logistic function s as a tanh, which cannot overflow."""
        twice = self._buffer("logistic", layer, *total.shape[1:])  # 2 s
        product = self._buffer("product", layer, *total.shape[1:])
        total *= 0.5
        np.tanh(total, out=twice)
        twice += 1
        return np.multiply(total, twice, out=product)

    def _times_silu_slope(self, layer: int, slope: Float32Array) -> Float32Array:
        """Multiply a gradient by the SiLU derivative s + y (1 - s) of the last forward pass."""
        buffer, twice, product = (
            self._buffer(name, layer, *slope.shape[1:]) for name in ("total", "logistic", "product")
        )
        np.subtract(2, twice, out=buffer)
        buffer *= product
        buffer += twice
        buffer *= slope
        return np.multiply(buffer, 0.5, out=slope)

    def _loss(
        self, outputs: Float32Array, values: Float32Array, weights: Float32Array
    ) -> tuple[float, Float32Array]:
        """Return the loss and its gradient in the outputs; write that in the bounds."""
        bounds, slopes = self.parameters.arrays, self.parameters.slopes
        mean, raw = outputs[:, : self.outputs], outputs[:, self.outputs :]
        log_variance, lower, upper = log_variances(raw, bounds["low"], bounds["high"])
        error = mean - values
        scaled = error * np.exp(-log_variance)
        squares = error * scaled
        counts = weights / np.float32(values.size)
        # sum of (y - mean)^2 / variance + log variance: twice the negative log likelihood
        loss = float((counts * (squares + log_variance)).sum())
        loss += BOUNDS_WEIGHT * float((bounds["high"] - bounds["low"]).sum())

        slope = self._buffer("slope", self.layers, *outputs.shape[1:])
        np.multiply(2 * counts, scaled, out=slope[:, : self.outputs])
        up = counts * (1 - squares)
        slopes["low"][:] = (up * (1 - lower)).sum(axis=2, keepdims=True) - BOUNDS_WEIGHT
        up *= lower
        slopes["high"][:] = (up * (1 - upper)).sum(axis=2, keepdims=True) + BOUNDS_WEIGHT
        np.multiply(up, upper, out=slope[:, self.outputs :])
        return loss, slope

    def _buffer(self, name: str, layer: int, width: int, batch: int) -> Float32Array:
        """Return a reusable array; allocating memory would cost more than the operation itself."""
        key, shape = f"{name}{layer}", (self.members, width, batch)
        buffer = self._buffers.get(key)
        if buffer is None or buffer.shape != shape:
            buffer = self._buffers[key] = np.empty(shape, dtype=np.float32)
        return buffer


def log_variances(
    raw: Float32Array, low: Float32Array, high: Float32Array
) -> tuple[Float32Array, Float32Array, Float32Array]:
    """Return log variances within soft bounds, as in the code of Chua et al. 2018.

    Returns:
        The log variances; their derivative in the upper-bounded value; its derivative in `raw`.
    """
    above, upper = _softplus(high - raw)
    left, lower = _softplus(high - above - low)
    return low + left, lower, upper


def _softplus(values: Float32Array) -> tuple[Float32Array, Float32Array]:
    """Return log(1 + exp(x)) and its derivative, the logistic function, without overflow."""
    result = np.maximum(values, 0) + np.log1p(np.exp(-np.abs(values)))
    return result, np.exp(values - result)
