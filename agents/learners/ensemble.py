"""An ensemble of probabilistic networks (PETS; Chua, Calandra, McAllister & Levine 2018).

Each member gives a mean and a log variance of each output, kept within soft bounds that are learned
(appendix A.1). Differences from the paper:

1. The members are one network with a further axis: a step is three batched multiplications.
2. It learns as data comes: for each new row it takes `steps_per_row` steps of Adam on batches drawn
   from all that it remembers. A row counts Poisson(1) times for a member, which is the bootstrap
   of data that has no end (Oza & Russell 2001).
3. Units of inputs and targets are taken whenever the number of rows seen doubles; the first and the
   last layer are then rescaled so that the function stays the same (van Hasselt et al. 2016).
4. There is no weight decay.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.messages import checked_number, optional_import

from .networks import (
    Float32Array,
    Memory,
    Parameters,
    generator_state,
    new_generator,
    part_of,
    prefixed,
    set_generator_state,
)
from .protocol import (
    Estimate,
    FloatArray,
    checked_batch,
    checked_rows,
    checked_size,
    checked_state,
)
from .units import FAR, in_units, spread_of

optional_import("torch", extra="models", purpose="ProbabilisticEnsemble")
import torch  # noqa: E402  # after the message that says how to get it

BOUNDS = (-10.0, 0.5)
"""The log variance's first soft bounds, in the targets' units (as in the paper's code)."""

BOUNDS_WEIGHT = 0.01
"""How much the loss pulls the bounds together (as in the paper's code)."""


FEW_ROWS = 64
"""Up to so many rows NumPy is faster than torch."""


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
        seed: settles first weights, bootstrap and batches.

    Raises:
        ValueError: if a number is outside its range.
        ImportError: if torch is missing.
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
        self.input_offset, self.input_spread = np.zeros(num_inputs), np.ones(num_inputs)
        self.offset, self.spread = np.zeros(num_outputs), np.ones(num_outputs)
        self._generator = new_generator(checked_size("seed", seed, 0))
        self._layers = len(self.hidden) + 1
        self.parameters = self._first_parameters()
        self._owed = 0.0
        self._rescale_at = 1

    def update(self, inputs: npt.ArrayLike, targets: npt.ArrayLike) -> None:
        """Remember a batch, and take the gradient steps that it brings; none is nothing.

        Raises:
            TypeError: if they are not real numbers.
            ValueError: for NaN, infinity or another shape; the learner is then as it was.
        """
        rows, values = checked_batch(inputs, targets, self.num_inputs, self.num_outputs)
        if not len(rows):
            return
        weights = torch.ones(len(rows), self.members)
        if self.bootstrap:
            weights = torch.poisson(weights, generator=self._generator)
        self.memory.append(inputs=rows, targets=values, weights=weights.numpy())
        if self.memory.seen >= self._rescale_at:
            self._rescale()
        self._owed += self.steps_per_row * len(rows)
        steps = int(self._owed)
        self._owed -= steps
        for _ in range(steps):
            self.gradient_step()

    def gradient_step(self) -> None:
        """One step of Adam on a batch of what is remembered.

        Raises:
            RuntimeError: if nothing is remembered.
        """
        if not self.memory.size:
            raise RuntimeError("nothing to learn from; expected an update first")
        shape = (min(self.batch_size, self.memory.size),)
        drawn = torch.randint(self.memory.size, shape, generator=self._generator).numpy()
        rows = in_units(self.memory["inputs"][drawn], self.input_offset, self.input_spread)
        values = in_units(self.memory["targets"][drawn], self.offset, self.spread)
        weights = self.memory["weights"][drawn].T[..., None]
        loss = self.loss(*(torch.from_numpy(each).float() for each in (rows, values, weights)))
        self.parameters.descend(loss, self.learning_rate)

    def loss(self, rows: torch.Tensor, values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """The summed loss of the members: twice the negative log likelihood, and the bounds' pull.

        Args:
            rows: (batch, inputs) in units.
            values: (batch, outputs) in units.
            weights: (members, batch, 1) how often each row counts.
        """
        mean, raw = self._forward(rows).split_with_sizes([self.num_outputs] * 2, dim=2)
        low, high = self.parameters.tensors["low"], self.parameters.tensors["high"]
        softplus = torch.nn.functional.softplus
        log_variance = high - softplus(high - raw)
        log_variance = low + softplus(log_variance - low)
        misfit = (mean - values).square() * torch.exp(-log_variance) + log_variance
        likelihood = (weights * misfit).mean(dim=(1, 2)).sum()
        loss: torch.Tensor = likelihood + BOUNDS_WEIGHT * (high - low).sum()
        return loss

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
        scaled = in_units(rows, self.input_offset, self.input_spread).astype(np.float32)
        if len(rows) <= FEW_ROWS:
            outputs = self._forward_few(scaled).astype(np.float64)
        else:
            with torch.no_grad():
                outputs = self._forward(torch.from_numpy(scaled)).numpy().astype(np.float64)
        mean, raw = outputs[..., : self.num_outputs], outputs[..., self.num_outputs :]
        arrays = self.parameters.arrays
        low, high = arrays["low"].astype(np.float64), arrays["high"].astype(np.float64)
        log_variance = low + np.logaddexp(0, high - np.logaddexp(0, high - raw) - low)
        return self.offset + self.spread * mean, self.spread**2 * np.exp(log_variance)

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
            **prefixed("parameters", self.parameters.get_state()),
            **prefixed("memory", self.memory.get_state()),
            "generator": generator_state(self._generator),
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
        own = {
            name: value
            for name, value in self.get_state().items()
            if not name.startswith("memory.")
        }
        given = checked_state(state, own)
        self.memory.set_state(part_of("memory", state))
        self.parameters.set_state(part_of("parameters", given))
        set_generator_state(self._generator, given["generator"])
        self.input_offset, self.input_spread = given["input_offset"], given["input_spread"]
        self.offset, self.spread = given["offset"], given["spread"]
        self._owed, self._rescale_at = given["owed"], given["rescale_at"]

    def _forward(self, rows: torch.Tensor) -> torch.Tensor:
        """(members, batch, 2 outputs) means and raw log variances of (batch, inputs)."""
        tensors, hidden = self.parameters.tensors, rows.expand(self.members, -1, -1)
        for layer in range(self._layers):
            if layer:
                hidden = torch.nn.functional.silu(hidden)
            hidden = torch.baddbmm(tensors[f"bias{layer}"], hidden, tensors[f"weight{layer}"])
        return hidden

    def _forward_few(self, rows: Float32Array) -> Float32Array:
        """The same in NumPy, which for a few rows is several times as fast."""
        arrays, hidden = self.parameters.arrays, rows
        for layer in range(self._layers):
            if layer:
                hidden = _silu(hidden)
            hidden = hidden @ arrays[f"weight{layer}"] + arrays[f"bias{layer}"]
        return hidden

    def _first_parameters(self) -> Parameters:
        sizes = (self.num_inputs, *self.hidden, 2 * self.num_outputs)
        shapes: dict[str, tuple[int, ...]] = {}
        for layer in range(self._layers):
            shapes[f"weight{layer}"] = (self.members, sizes[layer], sizes[layer + 1])
            shapes[f"bias{layer}"] = (self.members, 1, sizes[layer + 1])
        shapes["low"] = shapes["high"] = (self.members, 1, self.num_outputs)
        parameters = Parameters(shapes)
        for layer in range(self._layers):
            weight = parameters.tensors[f"weight{layer}"].detach()
            weight.normal_(0, 0.5 / math.sqrt(sizes[layer]), generator=self._generator)
        parameters.arrays["low"][:], parameters.arrays["high"][:] = BOUNDS
        return parameters

    def _rescale(self) -> None:
        """Take units from what is remembered; the function stays the same, if it was learned."""
        old = (self.input_offset, self.input_spread, self.offset, self.spread)
        inputs, targets = self.memory["inputs"], self.memory["targets"]
        self.input_offset, self.input_spread = inputs.mean(axis=0), spread_of(inputs)
        self.offset, self.spread = targets.mean(axis=0), spread_of(targets)
        self._rescale_at = 2 * self.memory.seen
        if self.parameters.steps:
            self._keep_function(*old)

    def _keep_function(
        self,
        input_offset: FloatArray,
        input_spread: FloatArray,
        offset: FloatArray,
        spread: FloatArray,
    ) -> None:
        """Turn parameters in the old units into those in the new ones."""
        arrays, outputs = self.parameters.arrays, self.num_outputs
        weight, bias = arrays["weight0"], arrays["bias0"]
        moved = np.clip((self.input_offset - input_offset) / input_spread, -FAR, FAR)
        bias += (moved.astype(np.float32) @ weight)[:, None]
        weight *= np.clip(self.input_spread / input_spread, 1 / FAR, FAR)[:, None]

        weight, bias = arrays[f"weight{self._layers - 1}"], arrays[f"bias{self._layers - 1}"]
        ratio = np.clip(spread / self.spread, 1 / FAR, FAR)
        moved = np.clip((offset - self.offset) / self.spread, -FAR, FAR)
        weight[..., :outputs] *= ratio
        bias[..., :outputs] = bias[..., :outputs] * ratio + moved
        bias[..., outputs:] += 2 * np.log(ratio)
        arrays["low"] += 2 * np.log(ratio)
        arrays["high"] += 2 * np.log(ratio)


def _silu(values: Float32Array) -> Float32Array:
    """X times the logistic function of x, by the tangent, which cannot run over."""
    half = 0.5 * values
    product: Float32Array = half + half * np.tanh(half)
    return product
