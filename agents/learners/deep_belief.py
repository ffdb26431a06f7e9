"""A deep belief network that is tuned to predict (Hinton, Osindero & Teh 2006).

Restricted Boltzmann machines are stacked and trained greedily on the inputs alone; their weights
are then the first weights of a network of logistic units, tuned by back-propagation to predict the
targets (Hinton & Salakhutdinov 2006). Differences:

1. It learns as data comes. Whenever the number of rows seen has doubled, from 16 on, it is trained
   anew, in a stated number of steps. In between only the last layer learns, at once and exactly.
2. The last layer is a Bayesian linear regression on the highest hidden units (Bishop 2006, section
   3.3), which says how sure it is; back-propagation's own output layer only shapes the units.
3. Inputs without targets (`observe`) teach the machines: they are what pre-training lives on.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray
from dynamaze.common.optional_imports import optional_import
from dynamaze.common.validation import checked_number, did_you_mean

from ..core.state import checked_state, part_of, prefixed
from .last_layer import LastLayer
from .networks import Memory, Parameters
from .protocol import Estimate, checked_batch, checked_rows, checked_size, normal_draw
from .rbm import stack
from .threads import one_torch_thread
from .units import in_units, spread_of

optional_import("torch", extra="models", purpose="DeepBelief")
import torch  # noqa: E402  # after the message that says how to get it

TRAIN_FROM = 16
"""With fewer rows the units stay as chance made them, and only the last layer learns."""

VISIBLE = ("binary", "gaussian")


class DeepBelief:
    """A network whose layers first learn what the inputs are like, and then to predict.

    Args:
        num_inputs: numbers that go in.
        num_outputs: numbers that come out.
        hidden: units of the hidden layers, from below.
        pretrain: whether the layers are trained as machines first; otherwise tuning begins with
            weights of chance (Glorot & Bengio 2010).
        visible: "gaussian" for inputs in spreads from their mean, "binary" for inputs that are
            scaled to [0, 1] by the range seen, such as pictures.
        pretraining_steps: steps of contrastive divergence for each machine.
        tuning_steps: steps of back-propagation.
        learning_rate: Adam's, in back-propagation.
        batch_size: rows of a step of back-propagation.
        capacity: rows remembered, with targets and without; then the oldest give way.
        least_spread: inputs are scaled by their spread, but by no less than this: where they come
            scaled, as features do, what has hardly varied yet is not blown up.
        seed: settles all chance.

    Raises:
        ValueError: if a number is outside its range, or for another kind of visible units.
        ImportError: if torch is missing.
    """

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
        learning_rate: float = 3e-3,
        batch_size: int = 64,
        capacity: int = 20_000,
        least_spread: float = 0.0,
        seed: int = 0,
    ) -> None:
        if visible not in VISIBLE:
            raise ValueError(
                f"visible={visible!r}; expected one of {list(VISIBLE)}"
                f"{did_you_mean(visible, VISIBLE)}"
            )
        self.num_inputs = checked_size("num_inputs", num_inputs)
        self.num_outputs = checked_size("num_outputs", num_outputs)
        self.hidden = tuple(checked_size("hidden", units) for units in hidden)
        if not self.hidden:
            raise ValueError("hidden=(); expected at least one layer")
        self.pretrain = pretrain
        self.visible = visible
        self.pretraining_steps = checked_size("pretraining_steps", pretraining_steps, 0)
        self.tuning_steps = checked_size("tuning_steps", tuning_steps, 0)
        self.learning_rate = checked_number("learning_rate", learning_rate, 0, above=True)
        self.batch_size = checked_size("batch_size", batch_size)
        capacity = checked_size("capacity", capacity)
        self.memory = Memory(capacity, {"inputs": num_inputs, "targets": num_outputs})
        self.unlabelled = Memory(capacity, {"inputs": num_inputs})
        self.least_spread = checked_number("least_spread", least_spread, 0)
        self.input_offset, self.input_spread = np.zeros(num_inputs), np.ones(num_inputs)
        self.offset, self.spread = np.zeros(num_outputs), np.ones(num_outputs)
        # Of our own: torch's global one is never touched.
        self._generator = torch.Generator().manual_seed(checked_size("seed", seed, 0))
        sizes = (num_inputs, *self.hidden, num_outputs)
        shapes: dict[str, tuple[int, ...]] = {}
        for layer, (below, above) in enumerate(pairwise(sizes)):
            shapes[f"weight{layer}"], shapes[f"bias{layer}"] = (below, above), (above,)
        self.parameters = Parameters(shapes)
        self._first_weights()
        self.last_layer = LastLayer(self.hidden[-1] + 1, num_outputs)
        self._train_at = 1

    def observe(self, inputs: npt.ArrayLike) -> None:
        """Remember inputs (batch, inputs) that have no targets, for the next pre-training.

        Raises:
            TypeError: if they are not real numbers.
            ValueError: for NaN, infinity or another shape; the learner is then as it was.
        """
        self.unlabelled.append(inputs=checked_rows("inputs", inputs, self.num_inputs))

    def update(self, inputs: npt.ArrayLike, targets: npt.ArrayLike) -> None:
        """Learn from a batch: inputs (batch, inputs), targets (batch, outputs); none is nothing.

        Raises:
            TypeError: if they are not real numbers.
            ValueError: for NaN, infinity or another shape; the learner is then as it was.
        """
        rows, values = checked_batch(inputs, targets, self.num_inputs, self.num_outputs)
        if not len(rows):
            return
        self.memory.append(inputs=rows, targets=values)
        if self.memory.seen >= self._train_at:
            self.train()
        else:
            self.last_layer.update(self.features(rows), self._target_units(values))

    def train(self) -> None:
        """Train anew on all that is remembered: machines, back-propagation, last layer.

        Raises:
            RuntimeError: if there are no targets to learn from.
        """
        if not self.memory.size:
            raise RuntimeError("nothing to learn from; expected an update first")
        inputs, targets = self.memory["inputs"], self.memory["targets"]
        everything = np.concatenate([inputs, self.unlabelled["inputs"]])
        self._take_units(everything, targets)
        if len(inputs) >= TRAIN_FROM:
            with one_torch_thread():
                self._first_weights()
                if self.pretrain:
                    self._pretrain(everything)
                self._tune(inputs, self._target_units(targets))
        self.last_layer = LastLayer(self.hidden[-1] + 1, self.num_outputs)
        self.last_layer.update(self.features(inputs), self._target_units(targets))
        self.last_layer.choose_precision()
        self._train_at = 2 * self.memory.seen

    def features(self, inputs: FloatArray) -> FloatArray:
        """(batch, highest hidden units + 1) what the last layer sees; the last feature is 1."""
        arrays, hidden = self.parameters.arrays, self._input_units(inputs).astype(np.float32)
        for layer in range(len(self.hidden)):
            half = 0.5 * (hidden @ arrays[f"weight{layer}"] + arrays[f"bias{layer}"])
            hidden = 0.5 + 0.5 * np.tanh(half)
        return np.concatenate([hidden.astype(np.float64), np.ones((len(inputs), 1))], axis=1)

    def predict(self, inputs: npt.ArrayLike) -> Estimate:
        """What is believed of inputs (batch, inputs).

        Raises:
            TypeError: if they are not real numbers.
            ValueError: for NaN, infinity or another shape.
        """
        rows = checked_rows("inputs", inputs, self.num_inputs)
        mean, epistemic, noise = self.last_layer.predict(self.features(rows))
        unit = self.spread**2
        return Estimate(self.offset + self.spread * mean, unit * epistemic, unit * noise)

    def draw(self, inputs: npt.ArrayLike, rng: np.random.Generator) -> FloatArray:
        """(batch, outputs) one draw of the targets, each row on its own.

        Raises:
            TypeError: if they are not real numbers.
            ValueError: for NaN, infinity or another shape.
        """
        return normal_draw(self.predict(inputs), rng)

    def get_state(self) -> dict[str, Any]:
        """The network, the memories, the last layer and the generator, to the last bit."""
        return {
            **prefixed("parameters", self.parameters.get_state()),
            **prefixed("memory", self.memory.get_state()),
            **prefixed("unlabelled", self.unlabelled.get_state()),
            **prefixed("last_layer", self.last_layer.get_state()),
            "generator": self._generator.get_state().numpy().copy(),
            "input_offset": self.input_offset.copy(),
            "input_spread": self.input_spread.copy(),
            "offset": self.offset.copy(),
            "spread": self.spread.copy(),
            "train_at": self._train_at,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned.

        Raises:
            ValueError: if it is the state of another kind of learner; this one is then as it was.
        """
        shapes = {
            **prefixed("memory", self.memory.shapes(part_of("memory", state))),
            **prefixed("unlabelled", self.unlabelled.shapes(part_of("unlabelled", state))),
        }
        given = checked_state(state, self.get_state(), shapes)
        self.memory.set_state(part_of("memory", given))
        self.unlabelled.set_state(part_of("unlabelled", given))
        self.parameters.set_state(part_of("parameters", given))
        self.last_layer.set_state(part_of("last_layer", given))
        self._generator.set_state(torch.from_numpy(given["generator"]))
        self.input_offset, self.input_spread = given["input_offset"], given["input_spread"]
        self.offset, self.spread = given["offset"], given["spread"]
        self._train_at = given["train_at"]

    def _first_weights(self) -> None:
        for layer in range(len(self.hidden) + 1):
            weight = torch.from_numpy(self.parameters.arrays[f"weight{layer}"])
            weight.normal_(0, math.sqrt(2 / sum(weight.shape)), generator=self._generator)
            self.parameters.arrays[f"bias{layer}"][:] = 0
        self.parameters.forget_steps()

    def _take_units(self, inputs: FloatArray, targets: FloatArray) -> None:
        if self.visible == "binary":
            span = np.ptp(inputs, axis=0)
            self.input_offset = inputs.min(axis=0)
            self.input_spread = np.where(span > 0, span, 1.0)
        else:
            self.input_offset, self.input_spread = (
                inputs.mean(axis=0),
                spread_of(inputs, self.least_spread),
            )
        self.offset, self.spread = targets.mean(axis=0), spread_of(targets)

    def _input_units(self, inputs: FloatArray) -> FloatArray:
        return in_units(inputs, self.input_offset, self.input_spread)

    def _target_units(self, targets: FloatArray) -> FloatArray:
        return in_units(targets, self.offset, self.spread)

    def _pretrain(self, inputs: FloatArray) -> None:
        machines = stack(
            torch.from_numpy(self._input_units(inputs)).float(),
            self.hidden,
            self.pretraining_steps,
            self._generator,
            gaussian=self.visible == "gaussian",
        )
        for layer, machine in enumerate(machines):
            self.parameters.arrays[f"weight{layer}"][:] = machine.weight.numpy()
            self.parameters.arrays[f"bias{layer}"][:] = machine.hidden_bias.numpy()

    def _tune(self, inputs: FloatArray, targets: FloatArray) -> None:
        rows = torch.from_numpy(self._input_units(inputs)).float()
        values = torch.from_numpy(targets).float()
        batch = (min(self.batch_size, len(rows)),)
        tensors = self._tensors()
        for _ in range(self.tuning_steps):
            drawn = torch.randint(len(rows), batch, generator=self._generator)
            loss = (_forward(tensors, rows[drawn]) - values[drawn]).square().mean()
            self.parameters.gradients[:] = 0
            loss.backward()  # type: ignore[no-untyped-call]  # torch's own
            self.parameters.descend(self.learning_rate)

    def _tensors(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Weight and bias of each layer for torch; they and their slopes are the same memory."""
        tensors = {}
        for name, array in self.parameters.arrays.items():
            tensors[name] = torch.from_numpy(array).requires_grad_()
            tensors[name].grad = torch.from_numpy(self.parameters.slopes[name])
        layers = range(len(self.hidden) + 1)
        return [(tensors[f"weight{layer}"], tensors[f"bias{layer}"]) for layer in layers]


def _forward(layers: list[tuple[torch.Tensor, torch.Tensor]], rows: torch.Tensor) -> torch.Tensor:
    *below, (last_weight, last_bias) = layers
    for weight, bias in below:
        rows = torch.sigmoid(torch.addmm(bias, rows, weight))
    return torch.addmm(last_bias, rows, last_weight)
