"""Action values of a small network, learned by deep Q-learning."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamaze.common.arrays import FloatArray
from dynamaze.common.optional_imports import optional_import
from dynamaze.common.validation import checked_number

from ..core.encoders import Vectors
from ..core.features import CoordinateFeatures, RadialBases
from ..core.rng import make_generator
from ..core.spaces import Spaces, count_actions
from ..core.transitions import Transitions
from ..core.vectors import check_vectors, each_column

NETWORK = 4
"""Index of the random stream for the initial weights."""

MAX_BUMPED = 32
"""Largest dimension with radial bases along each coordinate; images have many more."""


class NetworkValues:
    """Multilayer perceptron with two hidden layers from a vector to its action values.

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
        self._torch: Any = optional_import("torch", extra="models", purpose="a network of values")
        self.learning_rate = checked_number("learning_rate", learning_rate, 0, 1, above=True)
        self.gamma = checked_number("gamma", gamma, 0, 1)
        self.initial_value = checked_number("initial_value", initial_value)
        self.hidden = int(checked_number("hidden", hidden, 1, whole=True))
        self.batch_size = int(checked_number("batch_size", batch_size, 1, whole=True))
        self.target_rate = checked_number("target_rate", target_rate, 0, 1, above=True)
        self.features = (
            RadialBases(low, high, bumps=bumps)
            if bumps
            else CoordinateFeatures(low, high, bias=False)
        )
        self.size, self.num_actions = self.features.low.size, num_actions
        self._waiting = self._no_transitions()
        self._weights = [self._tensor(array) for array in self._initial_weights(rng)]
        self._target = [weight.clone() for weight in self._weights]
        for weight in self._weights:
            weight.requires_grad_()
        self._first = [self._torch.zeros_like(weight) for weight in self._target]  # Adam's moments
        self._second = [self._torch.zeros_like(weight) for weight in self._target]
        self.steps = 0

    def values(self, observations: FloatArray) -> FloatArray:
        """Return the (batch, actions) values of (batch, d) vectors."""
        with self._one_thread(), self._torch.no_grad():
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
        together: list[Any] = [
            np.concatenate(pair) for pair in zip(self._waiting, checked, strict=True)
        ]
        waiting = Transitions(*together)
        whole = len(waiting.action) // self.batch_size * self.batch_size
        with self._one_thread():
            self._steps(waiting, whole)
        self._waiting = each_column(waiting, lambda column: column[whole:].copy())

    def _steps(self, waiting: Transitions, whole: int) -> None:
        for first in range(0, whole, self.batch_size):
            part = slice(first, first + self.batch_size)
            self._step(each_column(waiting, lambda column, part=part: column[part]))  # type: ignore[misc]  # the default binds it

    # -- gradient step -------------------------------------------------------------------------

    def _step(self, batch: Transitions) -> None:
        torch = self._torch
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
            torch._foreach_lerp_(self._target, self._weights, self.target_rate)

    def _adam(self, gradients: Any) -> None:
        """Take a step of Adam (Kingma and Ba 2015, algorithm 1)."""
        torch = self._torch
        self.steps += 1
        torch._foreach_lerp_(self._first, gradients, 1 - 0.9)
        torch._foreach_mul_(self._second, 0.999)
        torch._foreach_addcmul_(self._second, gradients, gradients, 1 - 0.999)
        roots = torch._foreach_sqrt(self._second)
        torch._foreach_div_(roots, (1 - 0.999**self.steps) ** 0.5)
        torch._foreach_add_(roots, 1e-8)
        rate = self.learning_rate / (1 - 0.9**self.steps)
        torch._foreach_addcdiv_(self._weights, self._first, roots, -rate)

    @contextmanager
    def _one_thread(self) -> Iterator[None]:
        """Run torch on one thread: a network this small gains nothing from more."""
        before = self._torch.get_num_threads()
        if before == 1:
            yield
            return
        self._torch.set_num_threads(1)
        try:
            yield
        finally:
            self._torch.set_num_threads(before)

    def _forward(self, weights: Any, inputs: Any) -> Any:
        torch = self._torch
        hidden = torch.relu(torch.addmm(weights[1], inputs, weights[0]))
        hidden = torch.relu(torch.addmm(weights[3], hidden, weights[2]))
        return torch.addmm(weights[5], hidden, weights[4])

    def _inputs(self, vectors: FloatArray) -> Any:
        return self._tensor(self.features(vectors))

    def _tensor(self, array: npt.NDArray[Any]) -> Any:
        return self._torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))

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

    def _no_transitions(self) -> Transitions:
        return Transitions(
            np.zeros((0, self.size)),
            np.zeros(0, dtype=np.int64),
            np.zeros(0),
            np.zeros((0, self.size)),
            np.zeros(0, dtype=np.bool_),
        )

    # -- files ---------------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Return the networks, the moments of Adam and the incomplete batch."""
        state: dict[str, Any] = {"steps": self.steps}
        for name in ("weights", "target", "first", "second"):
            for number, tensor in enumerate(getattr(self, f"_{name}")):
                state[f"{name}.{number}"] = tensor.detach().numpy().copy()
        for name, column in zip(Transitions._fields, self._waiting, strict=True):
            state[f"waiting.{name}"] = column.copy()
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the state of `get_state`.

        Raises:
            ValueError: for arrays of another shape; these values are then unchanged.
        """
        own = self.get_state()
        for name, array in own.items():
            if name.startswith("waiting.") or name == "steps":
                continue
            if state[name].shape != array.shape:
                raise ValueError(f"{name} of shape {state[name].shape}; expected {array.shape}")
        waiting = Transitions(*(state[f"waiting.{name}"] for name in Transitions._fields))
        self._waiting = check_vectors(waiting, self.size, self.num_actions)
        self.steps = int(state["steps"])
        with self._torch.no_grad():
            for name in ("weights", "target", "first", "second"):
                for number, tensor in enumerate(getattr(self, f"_{name}")):
                    tensor.copy_(self._tensor(state[f"{name}.{number}"]))


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
