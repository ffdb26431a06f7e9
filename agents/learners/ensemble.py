"""An ensemble of probabilistic networks (PETS; Chua, Calandra, McAllister & Levine 2018).

Each member gives a mean and a log variance of each output, kept within soft bounds that are learned
(as in the paper's code). Differences from the paper:

1. The members are one network with a further axis: a layer is one batched multiplication.
2. It learns as data comes: for each new row it takes `steps_per_row` steps of Adam on batches drawn
   from all that it remembers. A row counts Poisson(1) times for a member, which is the bootstrap
   of data that has no end (Oza & Russell 2001).
3. Units of inputs and targets are taken whenever the number of rows seen doubles; the first and the
   last layer are then rescaled so that the function stays the same (van Hasselt et al. 2016).
4. There is no weight decay.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import Float32Array, FloatArray
from dynamaze.common.validation import checked_number

from ..core.state import (
    checked_state,
    generator_state,
    part_of,
    prefixed,
    set_generator_state,
)
from .member_networks import MemberNetworks
from .networks import Memory
from .protocol import Estimate, checked_batch, checked_rows, checked_size
from .threads import one_blas_thread
from .units import FAR, in_units, spread_of

_FEW = 16  # rows for which to limit threads would take as long as to predict

_ROWS = 256  # predicted at a time: what is in between stays in the processor's cache


class ProbabilisticEnsemble:
    """Networks that tell what they do not know (they disagree) from what cannot be known.

    Args:
        num_inputs: numbers that go in.
        num_outputs: numbers that come out.
        members: how many networks; their disagreement is the epistemic variance.
        hidden: units of the hidden layers.
        learning_rate: Adam's.
        batch_size: rows of a gradient step, the same for all members.
        steps_per_row: gradient steps for each new row; may be a fraction.
        bootstrap: whether members weigh rows differently; otherwise only their first weights
            differ.
        capacity: rows remembered; then the oldest give way.
        least_spread: inputs are scaled by their spread, but by no less than this: where they come
            scaled, as features do, what has hardly varied yet is not blown up.
        seed: settles first weights, bootstrap and batches.

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
        least_spread: float = 0.0,
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
        self.memory = Memory(checked_size("capacity", capacity), columns)
        self.least_spread = checked_number("least_spread", least_spread, 0)
        self.input_offset, self.input_spread = np.zeros(num_inputs), np.ones(num_inputs)
        self.offset, self.spread = np.zeros(num_outputs), np.ones(num_outputs)
        self._rng = np.random.Generator(np.random.SFC64(checked_size("seed", seed, 0)))
        sizes = (self.num_inputs, *self.hidden, self.num_outputs)
        self.networks = MemberNetworks(self.members, sizes, self._rng)
        self._owed = 0.0
        self._rescale_at = 1

    @property
    def steps(self) -> int:
        """How many gradient steps were taken."""
        return self.networks.parameters.steps

    def update(self, inputs: npt.ArrayLike, targets: npt.ArrayLike) -> None:
        """Remember a batch, and take the gradient steps that it brings; none is nothing.

        Raises:
            TypeError: if they are not real numbers.
            ValueError: for NaN, infinity or another shape; the learner is then as it was.
        """
        rows, values = checked_batch(inputs, targets, self.num_inputs, self.num_outputs)
        if not len(rows):
            return
        shape = (len(rows), self.members)
        counts = np.ones(shape)
        if self.bootstrap:
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
        """One step of Adam on a batch of what is remembered.

        Raises:
            RuntimeError: if nothing is remembered.
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
            _columns(in_units(self.memory["targets"][drawn], self.offset, self.spread)),
            _columns(self.memory["weights"][drawn])[:, None],
        )
        self.networks.parameters.descend(self.learning_rate)

    def predict(self, inputs: npt.ArrayLike) -> Estimate:
        """What is believed of inputs (batch, inputs): the members' mixture.

        Raises:
            TypeError: if they are not real numbers.
            ValueError: for NaN, infinity or another shape.
        """
        mean, variance = self.predict_members(inputs)
        return Estimate(mean.mean(axis=0), mean.var(axis=0), variance.mean(axis=0))

    def predict_members(self, inputs: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """(members, batch, outputs) each member's means and variances.

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
        """(batch, outputs) one draw: for each row one member at random, and its noise (TS1).

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
        """The networks, the optimiser, the memory and the generator, to the last bit."""
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
        """Go back to what `get_state` returned.

        Raises:
            ValueError: if it is the state of another kind of learner; this one is then as it was.
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
        """Take units from what is remembered; the function stays the same, if it was learned."""
        old = (self.input_offset, self.input_spread, self.offset, self.spread)
        inputs, targets = self.memory["inputs"], self.memory["targets"]
        self.input_offset, self.input_spread = (
            inputs.mean(axis=0),
            spread_of(inputs, self.least_spread),
        )
        self.offset, self.spread = targets.mean(axis=0), spread_of(targets)
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
        """Turn parameters in the old units into those in the new ones."""
        arrays, outputs = self.networks.parameters.arrays, self.num_outputs
        weight, bias = arrays["weight0"], arrays["bias0"]
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
        return _columns(in_units(inputs, self.input_offset, self.input_spread))


def _columns(rows: FloatArray) -> Float32Array:
    """(width, batch) float32 of (batch, width): the networks' batch comes last."""
    columns: Float32Array = rows.T.astype(np.float32, order="C")
    return columns
