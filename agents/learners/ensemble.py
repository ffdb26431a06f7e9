"""Ensemble of probabilistic networks (PETS; Chua, Calandra, McAllister & Levine 2018).

Each member predicts mean and log variance of each output, the latter within learned soft bounds.
Differences from the paper:

1. The members are one network with a further axis: a layer is one batched multiplication.
2. It learns online: each new row adds `steps_per_row` steps of Adam on batches from its buffer. A
   row counts Poisson(1) times for a member, the bootstrap of a data stream (Oza & Russell 2001).
3. Inputs and targets are restandardised whenever the number of rows seen has doubled; the first and
   last layer are rescaled to keep the function (van Hasselt et al. 2016).
4. There is no weight decay.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import Float32Array, FloatArray
from dynamaze.common.validation import checked_number

from ..core.records import (
    checked_state,
    generator_state,
    part_of,
    prefixed,
    set_generator_state,
)
from .member_networks import MemberNetworks
from .networks import RowBuffer
from .protocol import (
    FAR,
    Estimate,
    checked_batch,
    checked_rows,
    checked_size,
    column_spreads,
    standardise,
)
from .threads import one_blas_thread

_FEW = 16  # rows below which limiting threads costs as much as predicting

_ROWS = 256  # rows predicted at a time, so that intermediate results fit the cache


class ProbabilisticEnsemble:
    """Ensemble of networks that separates epistemic uncertainty (disagreement) from noise.

    Args:
        num_inputs: number of inputs.
        num_outputs: number of outputs.
        members: number of networks; their disagreement is the epistemic variance.
        hidden: units of the hidden layers.
        learning_rate: step size of Adam.
        batch_size: rows of a gradient step, the same for all members.
        steps_per_row: gradient steps for each new row; may be a fraction.
        bootstrap: weight rows differently for each member; otherwise members differ in their
            initial weights only.
        capacity: size of the buffer of rows; then the oldest are overwritten.
        min_spread: lower limit of the standard deviation that scales the inputs, so that features
            that have hardly varied are not amplified.
        seed: seed of initial weights, bootstrap and batches.

    Raises:
        ValueError: if a number is outside its range.
    """

    def __init__(
        self,
        num_inputs: int,
        num_outputs: int,
        *,
        members: int = 7,
        hidden: tuple[int, ...] = (64, 64),
        learning_rate: float = 3e-3,
        batch_size: int = 64,
        steps_per_row: float = 2.0,
        bootstrap: bool = True,
        capacity: int = 20_000,
        min_spread: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.num_inputs = checked_size("num_inputs", num_inputs)
        self.num_outputs = checked_size("num_outputs", num_outputs)
        self.members = checked_size("members", members)
        self.hidden = tuple(checked_size("hidden", units) for units in hidden)
        self.learning_rate = checked_number("learning_rate", learning_rate, 0, above=True)
        self.batch_size = checked_size("batch_size", batch_size)
        self.steps_per_row = checked_number("steps_per_row", steps_per_row, 0)
        self.bootstrap = bootstrap
        columns = {"inputs": num_inputs, "targets": num_outputs, "weights": members}
        self.memory = RowBuffer(checked_size("capacity", capacity), columns)
        self.min_spread = checked_number("min_spread", min_spread, 0)
        self.input_offset, self.input_spread = np.zeros(num_inputs), np.ones(num_inputs)
        self.offset, self.spread = np.zeros(num_outputs), np.ones(num_outputs)
        self._rng = np.random.Generator(np.random.SFC64(checked_size("seed", seed, 0)))
        sizes = (self.num_inputs, *self.hidden, self.num_outputs)
        self.networks = MemberNetworks(self.members, sizes, self._rng)
        self._owed = 0.0
        self._rescale_at = 1

    @property
    def steps(self) -> int:
        """Number of gradient steps so far."""
        return self.networks.parameters.steps

    def update(self, inputs: npt.ArrayLike, targets: npt.ArrayLike) -> None:
        """Store a batch and take the gradient steps that it adds.

        Raises:
            TypeError: if they are not real numbers.
            ValueError: for NaN, infinity or another shape; the learner is then unchanged.
        """
        rows, values = checked_batch(inputs, targets, self.num_inputs, self.num_outputs)
        if not len(rows):
            return
        shape = (len(rows), self.members)
        counts = np.ones(shape)
        if self.bootstrap:
            # Online bootstrap (Oza & Russell 2001)
            counts = self._rng.poisson(counts).astype(np.float64)
        self.memory.append(inputs=rows, targets=values, weights=counts)
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
        if not self.memory.size:
            raise RuntimeError("nothing to learn from; expected an update first")
        with one_blas_thread():
            self._step()

    def _step(self) -> None:
        number = min(self.batch_size, self.memory.size)
        drawn = self._rng.integers(self.memory.size, size=number)
        self.networks.differentiate(
            self._input_units(self.memory["inputs"][drawn]),
            _columns(standardise(self.memory["targets"][drawn], self.offset, self.spread)),
            _columns(self.memory["weights"][drawn])[:, None],
        )
        self.networks.parameters.adam_step(self.learning_rate)

    def predict(self, inputs: npt.ArrayLike) -> Estimate:
        """Return the predictive mean and variances of the members' mixture.

        Raises:
            TypeError: if they are not real numbers.
            ValueError: for NaN, infinity or another shape.
        """
        mean, variance = self.predict_members(inputs)
        return Estimate(mean.mean(axis=0), mean.var(axis=0), variance.mean(axis=0))

    def predict_members(self, inputs: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Return the (members, batch, outputs) means and variances of each member.

        Raises:
            TypeError: if they are not real numbers.
            ValueError: for NaN, infinity or another shape.
        """
        rows = checked_rows("inputs", inputs, self.num_inputs)
        mean, variance = np.empty((2, self.members, len(rows), self.num_outputs))
        with one_blas_thread() if len(rows) > _FEW else nullcontext():
            for first in range(0, len(rows), _ROWS):
                part = slice(first, first + _ROWS)
                found, log_variance = self.networks.forward(self._input_units(rows[part]))
                mean[:, part] = found.mT
                variance[:, part] = np.exp(log_variance.mT, dtype=np.float64)
        return self.offset + self.spread * mean, self.spread**2 * variance

    def draw(self, inputs: npt.ArrayLike, rng: np.random.Generator) -> FloatArray:
        """Sample (batch, outputs) targets: a random member for each row, with its noise (TS1).

        Raises:
            TypeError: if they are not real numbers.
            ValueError: for NaN, infinity or another shape.
        """
        mean, variance = self.predict_members(inputs)
        rows = np.arange(mean.shape[1])
        member = rng.integers(self.members, size=len(rows))
        noise = rng.standard_normal(mean.shape[1:])
        drawn: FloatArray = mean[member, rows] + np.sqrt(variance[member, rows]) * noise
        return drawn

    def get_state(self) -> dict[str, Any]:
        """Return the state of networks, optimiser, buffer and generator, bit-identical."""
        return {
            **prefixed("parameters", self.networks.parameters.get_state()),
            **prefixed("memory", self.memory.get_state()),
            "generator": generator_state(self._rng),
            "input_offset": self.input_offset.copy(),
            "input_spread": self.input_spread.copy(),
            "offset": self.offset.copy(),
            "spread": self.spread.copy(),
            "owed": self._owed,
            "rescale_at": self._rescale_at,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the state of `get_state`.

        Raises:
            ValueError: if it is the state of another kind of learner; this one is then unchanged.
        """
        memory = part_of("memory", state)
        own = self.get_state()
        given = checked_state(state, own, prefixed("memory", self.memory.shapes(memory)))
        self.memory.set_state(memory)
        self.networks.parameters.set_state(part_of("parameters", given))
        set_generator_state(self._rng, given["generator"])
        self.input_offset, self.input_spread = given["input_offset"], given["input_spread"]
        self.offset, self.spread = given["offset"], given["spread"]
        self._owed, self._rescale_at = given["owed"], given["rescale_at"]

    def _rescale(self) -> None:
        """Restandardise by the buffer; a trained function stays the same."""
        old = (self.input_offset, self.input_spread, self.offset, self.spread)
        inputs, targets = self.memory["inputs"], self.memory["targets"]
        self.input_offset, self.input_spread = (
            inputs.mean(axis=0),
            column_spreads(inputs, self.min_spread),
        )
        self.offset, self.spread = targets.mean(axis=0), column_spreads(targets)
        self._rescale_at = 2 * self.memory.seen
        if self.steps:
            self._keep_function(*old)

    def _keep_function(
        self,
        input_offset: FloatArray,
        input_spread: FloatArray,
        offset: FloatArray,
        spread: FloatArray,
    ) -> None:
        """Transform the parameters from the old units to the new ones."""
        arrays, outputs = self.networks.parameters.arrays, self.num_outputs
        weight, bias = arrays["weight0"], arrays["bias0"]
        # Preserve outputs precisely under rescaling (van Hasselt et al. 2016, Pop-Art)
        moved = np.clip((self.input_offset - input_offset) / input_spread, -FAR, FAR)
        bias += weight @ moved.astype(np.float32)[:, None]
        weight *= np.clip(self.input_spread / input_spread, 1 / FAR, FAR)

        last = self.networks.layers - 1
        weight, bias = arrays[f"weight{last}"], arrays[f"bias{last}"]
        ratio = np.clip(spread / self.spread, 1 / FAR, FAR)[:, None]
        moved = np.clip((offset - self.offset) / self.spread, -FAR, FAR)[:, None]
        weight[:, :outputs] *= ratio
        bias[:, :outputs] = bias[:, :outputs] * ratio + moved
        bias[:, outputs:] += 2 * np.log(ratio)
        arrays["low"] += 2 * np.log(ratio)
        arrays["high"] += 2 * np.log(ratio)

    def _input_units(self, inputs: FloatArray) -> Float32Array:
        return _columns(standardise(inputs, self.input_offset, self.input_spread))


def _columns(rows: FloatArray) -> Float32Array:
    """Return (width, batch) float32 of (batch, width): the networks' batch axis is the last."""
    columns: Float32Array = rows.T.astype(np.float32, order="C")
    return columns
