"""Action values of a small network, learned by deep Q-learning."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import Float32Array, FloatArray
from dynamaze.common.optional_imports import optional_import
from dynamaze.common.threads import one_torch_thread
from dynamaze.common.validation import check_entries, checked_count, checked_number

from ..core.encoders import Vectors
from ..core.features import MAX_BUMPED, CoordinateFeatures, RadialBases
from ..core.records import Stateful
from ..core.rng import make_generator
from ..core.spaces import Spaces, count_actions
from ..core.transitions import Transitions
from ..core.vectors import check_vectors, each_column, joined, no_transitions

optional_import("torch", extra="models", purpose="a network of values")
import torch  # noqa: E402  # after the message that says how to get it
from torch import Tensor  # noqa: E402

# Not `torch.optim.Adam`, the class: it imports torch's compiler, which takes seconds.
from torch.optim.adam import adam  # noqa: E402

NETWORK = 4
"""Index of the random stream for the initial weights."""


class NetworkValues(Stateful):
    """Multilayer perceptron with two hidden layers from a vector to its action values.

    Suited to observations with too many numbers for tiles.

    Deep Q-learning (Mnih et al. 2015) with Adam, double Q-learning (van Hasselt, Guez and Silver
    2016) and a target network that is updated by an exponential moving average. There is no replay
    buffer: that is the role of a model. Transitions, real and simulated, are collected until there
    are `batch_size` of them, which make one gradient step.

    The inputs are the coordinates and radial basis functions along each of them (`RadialBases`):
    from coordinates alone a small network can hardly represent the jump of the values at a wall,
    and updates in one place disturb others. The target network must not lag: a reward is propagated
    by about one step each time it has caught up. With both, `DynaQ` with its defaults solved
    `DynaMazeContinuous-v0` (discrete actions, positions) greedily in at most 60 steps after 10,000
    real ones in 9 of 10 runs; in 5 of 10 without radial bases, with batches of 32 and
    target_rate=0.01. Failed runs found the goal late, when its transition is one among thousands;
    an initial value of 0.5 finds it earlier.

    Args:
        low: (d,) smallest values, for scaling to [-1, 1]; a coordinate without bounds is not
            scaled and has no radial bases.
        high: (d,) largest values.
        num_actions: number of actions.
        learning_rate: Adam's step size, in (0, 1].
        gamma: discount, in [0, 1].
        initial_value: approximate initial action value.
        hidden: units of each of the two hidden layers.
        batch_size: transitions in a gradient step.
        target_rate: step size of the target network's moving average, in (0, 1].
        bumps: number of Gaussian bases along each coordinate; 0 for coordinates alone.
        rng: generator of the initial weights.

    Raises:
        ValueError: for a number outside its range.
        ImportError: without torch.
    """

    observes = "vectors"
    state_fields: ClassVar = {"steps": "steps", "tensors": "", "_waiting": "waiting."}
    growing_fields = Transitions._fields

    def __init__(
        self,
        low: npt.ArrayLike,
        high: npt.ArrayLike,
        num_actions: int,
        *,
        rng: np.random.Generator,
        learning_rate: float = 1e-3,
        gamma: float = 0.95,
        initial_value: float = 0.0,
        hidden: int = 64,
        batch_size: int = 16,
        target_rate: float = 0.1,
        bumps: int = 16,
    ) -> None:
        self.learning_rate = checked_number("learning_rate", learning_rate, 0, 1, above=True)
        self.gamma = checked_number("gamma", gamma, 0, 1)
        self.initial_value = checked_number("initial_value", initial_value)
        self.hidden = checked_count("hidden", hidden)
        self.batch_size = checked_count("batch_size", batch_size)
        self.target_rate = checked_number("target_rate", target_rate, 0, 1, above=True)
        self.features = (
            RadialBases(low, high, bumps=bumps)
            if bumps
            else CoordinateFeatures(low, high, bias=False)
        )
        self.size, self.num_actions = self.features.low.size, num_actions
        check_entries(f"hidden={hidden}, bumps={bumps}", self.features.num_features, hidden)
        check_entries(f"hidden={hidden}", hidden, hidden)
        self._waiting = no_transitions(self.size, num_actions)
        self._weights = [self._tensor(array) for array in self._initial_weights(rng)]
        self._target = [weight.clone() for weight in self._weights]
        for weight in self._weights:
            weight.requires_grad_()
        self._first = [torch.zeros_like(weight) for weight in self._target]  # Adam's moments
        self._second = [torch.zeros_like(weight) for weight in self._target]
        self.steps = 0  # of Adam

    def values(self, observations: FloatArray) -> FloatArray:
        """Return the (batch, actions) values of (batch, d) vectors."""
        with one_torch_thread(), torch.no_grad():
            values = self._forward(self._weights, self._inputs(observations))
        result: FloatArray = values.numpy().astype(np.float64)
        return result

    def update(self, transitions: Transitions) -> None:
        """Collect transitions, and take a gradient step for each complete batch.

        Raises:
            TypeError, ValueError: for NaN or infinity, another shape, or an action out of range;
                the values are then unchanged.
        """
        checked = check_vectors(transitions, self.size, self.num_actions)
        waiting = joined((self._waiting, checked))
        whole = len(waiting.action) // self.batch_size * self.batch_size
        with one_torch_thread():  # a network this small gains nothing from more
            self._steps(waiting, whole)
        self._waiting = each_column(waiting, lambda column: column[whole:].copy())

    def _steps(self, waiting: Transitions, whole: int) -> None:
        for first in range(0, whole, self.batch_size):
            part = slice(first, first + self.batch_size)
            self._step(each_column(waiting, lambda column, part=part: column[part]))  # type: ignore[misc]  # the default binds it

    # -- gradient step -------------------------------------------------------------------------

    def _step(self, batch: Transitions) -> None:
        now, then = self._inputs(batch.observation), self._inputs(batch.next_observation)
        rows = torch.arange(len(batch.action))
        with torch.no_grad():
            # Double Q-learning: the network chooses the action, the target network evaluates it.
            best = self._forward(self._weights, then).argmax(dim=1)
            following = self._forward(self._target, then)[rows, best]
            discount = self._tensor(np.where(batch.terminated, 0.0, self.gamma))
            targets = self._tensor(batch.reward) + discount * following
        chosen = self._forward(self._weights, now)[rows, torch.from_numpy(batch.action)]
        loss = torch.nn.functional.smooth_l1_loss(chosen, targets)
        gradients = torch.autograd.grad(loss, self._weights)
        with torch.no_grad():
            self._adam(gradients)
            for target, weight in zip(self._target, self._weights, strict=True):
                target.lerp_(weight, self.target_rate)

    def _adam(self, gradients: Sequence[Tensor]) -> None:
        """Take a step of Adam (Kingma and Ba 2015, algorithm 1)."""
        adam(
            self._weights,
            list(gradients),
            self._first,
            self._second,
            [],
            [torch.tensor(float(self.steps)) for _ in self._weights],
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=self.learning_rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
            fused=True,
        )
        self.steps += 1

    def _forward(self, weights: list[Tensor], inputs: Tensor) -> Tensor:
        hidden = torch.relu(torch.addmm(weights[1], inputs, weights[0]))
        hidden = torch.relu(torch.addmm(weights[3], hidden, weights[2]))
        return torch.addmm(weights[5], hidden, weights[4])

    def _inputs(self, vectors: FloatArray) -> Tensor:
        return self._tensor(self.features(vectors))

    def _tensor(self, array: npt.NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))

    # -- initialisation ------------------------------------------------------------------------

    def _initial_weights(self, rng: np.random.Generator) -> list[FloatArray]:
        """Return initial weights (He et al. 2015), last layer small around the initial value."""
        sizes = (self.features.num_features, self.hidden, self.hidden, self.num_actions)
        arrays = []
        for layer, (inputs, outputs) in enumerate(pairwise(sizes)):
            spread = np.sqrt(2 / inputs) * (0.01 if layer == 2 else 1.0)
            arrays += [rng.normal(0, spread, (inputs, outputs)), rng.uniform(-0.5, 0.5, outputs)]
        arrays[-1] = np.full(self.num_actions, self.initial_value)
        return arrays

    # -- state ---------------------------------------------------------------------------------

    @property
    def tensors(self) -> NetworkTensors:
        """Arrays that share memory with the tensors; to set them copies their values."""
        tensors = (self._weights, self._target, self._first, self._second)
        return NetworkTensors(*(tuple(each.detach().numpy() for each in part) for part in tensors))

    @tensors.setter
    def tensors(self, tensors: NetworkTensors) -> None:
        for own, given in zip(self.tensors, tensors, strict=True):
            for array, values in zip(own, given, strict=True):
                array[...] = values

    def check_state(self, restored: dict[str, Any]) -> None:
        """Check the transitions of the incomplete batch."""
        check_vectors(restored["_waiting"], self.size, self.num_actions)


class NetworkTensors(NamedTuple):
    """Tensors in the state of a network: weights and biases of each layer."""

    weights: tuple[Float32Array, ...]
    target: tuple[Float32Array, ...]  # of the target network
    first: tuple[Float32Array, ...]  # Adam's moving average of the gradients
    second: tuple[Float32Array, ...]  # and of their squares


# -- by name -----------------------------------------------------------------------------------


def network_values(spaces: Spaces, seed: np.random.SeedSequence, **numbers: float) -> NetworkValues:
    """Return a network of an environment's observations.

    Args:
        spaces: the spaces of the environment.
        seed: seed of the initial weights.
        **numbers: learning rate, discount and initial value.
    """
    vectors = Vectors(spaces.observation)
    num_actions, _ = count_actions(spaces.action)
    arguments: dict[str, Any] = dict(numbers)
    if vectors.is_one_hot or vectors.size > MAX_BUMPED:
        arguments["bumps"] = 0
    rng = make_generator(seed, NETWORK)
    return NetworkValues(vectors.low, vectors.high, num_actions, rng=rng, **arguments)
