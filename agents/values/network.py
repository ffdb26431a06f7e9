"""Action values from a small network, learned as a deep Q-network learns them."""

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

from ..core.features import Coordinates, RadialBases
from ..core.transitions import Transitions
from ..models.vector_memory import check_vectors, each_column


class NetworkValues:
    """A network with two hidden layers from a vector to its action values.

    Deep Q-learning (Mnih et al. 2015) with Adam and a target network that follows slowly; the best
    action is the network's, its value the target network's (double Q-learning: van Hasselt, Guez
    and Silver 2016). There is no replay buffer: that is what a model is for. Transitions wait until
    there are `batch_size` of them, real and simulated ones as they come, and then take one step
    together.

    What the network sees are the coordinates and bumps along each (`RadialBases`). From coordinates
    alone a small network finds it hard to change its values as fast as they change at a wall, and
    what it learns of one place undoes what it knew of others. And the target network must not lag:
    a goal's value goes back by about one real step each time it has caught up. With both, `DynaQ`
    with its defaults walked `DynaMazeContinuous-v0` (discrete actions, positions) greedily in at
    most 60 steps after 10,000 real ones in 9 of 10 runs, and in 5 of 10 without bumps, with batches
    of 32 and follow=0.01. What then fails has found the goal late, and draws that one transition
    among thousands too seldom; an initial value of 0.5 finds it sooner.

    Args:
        low: (d,) the vectors' smallest values, by which they are scaled to [-1, 1]; a coordinate
            without bounds is left as it is, and has no bumps.
        high: (d,) their largest.
        num_actions: how many actions.
        learning_rate: Adam's step size, in (0, 1].
        gamma: discount, in [0, 1].
        initial_value: what every action value begins with, about.
        hidden: units of each of the two hidden layers.
        batch_size: transitions of each step.
        follow: how far the target network goes towards the network with each step, in (0, 1].
        bumps: along each coordinate; 0 for the coordinates alone.
        rng: settles the first weights.

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
        follow: float = 0.1,
        bumps: int = 16,
    ) -> None:
        self._torch: Any = optional_import("torch", extra="models", purpose="a network of values")
        self.learning_rate = checked_number("learning_rate", learning_rate, 0, 1, above=True)
        self.gamma = checked_number("gamma", gamma, 0, 1)
        self.initial_value = checked_number("initial_value", initial_value)
        self.hidden = int(checked_number("hidden", hidden, 1, whole=True))
        self.batch_size = int(checked_number("batch_size", batch_size, 1, whole=True))
        self.follow = checked_number("follow", follow, 0, 1, above=True)
        self.features = (
            RadialBases(low, high, bumps=bumps) if bumps else Coordinates(low, high, bias=False)
        )
        self.size, self.num_actions = self.features.low.size, num_actions
        self._waiting = self._none()
        self._weights = [self._tensor(array) for array in self._begin(rng)]
        self._target = [weight.clone() for weight in self._weights]
        for weight in self._weights:
            weight.requires_grad_()
        self._first = [self._torch.zeros_like(weight) for weight in self._target]  # Adam's moments
        self._second = [self._torch.zeros_like(weight) for weight in self._target]
        self.steps = 0

    def values(self, observations: FloatArray) -> FloatArray:
        """(batch, actions) values of (batch, d) vectors."""
        with self._one_thread(), self._torch.no_grad():
            values = self._forward(self._weights, self._inputs(observations))
        result: FloatArray = values.numpy().astype(np.float64)
        return result

    def update(self, transitions: Transitions) -> None:
        """Take a step for each `batch_size` transitions that have come together.

        Raises:
            TypeError, ValueError: for NaN or infinity, another shape, or an action that there is
                not; then none is learned.
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

    # -- one step ------------------------------------------------------------------------------

    def _step(self, batch: Transitions) -> None:
        torch = self._torch
        now, then = self._inputs(batch.observation), self._inputs(batch.next_observation)
        rows = torch.arange(len(batch.action))
        with torch.no_grad():
            best = self._forward(self._weights, then).argmax(dim=1)
            following = self._forward(self._target, then)[rows, best]
            discount = self._tensor(np.where(batch.terminated, 0.0, self.gamma))
            targets = self._tensor(batch.reward) + discount * following
        chosen = self._forward(self._weights, now)[rows, torch.from_numpy(batch.action)]
        loss = torch.nn.functional.smooth_l1_loss(chosen, targets)
        gradients = torch.autograd.grad(loss, self._weights)
        with torch.no_grad():
            self._adam(gradients)
            torch._foreach_lerp_(self._target, self._weights, self.follow)

    def _adam(self, gradients: Any) -> None:
        """Adam (Kingma and Ba 2015, algorithm 1), its state our own to be saved."""
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
        """More threads only wait for each other in so small a network."""
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

    # -- the beginning -------------------------------------------------------------------------

    def _begin(self, rng: np.random.Generator) -> list[FloatArray]:
        """Weights as He et al. 2015 draw them, the last ones small round the initial value."""
        sizes = (self.features.num_features, self.hidden, self.hidden, self.num_actions)
        arrays = []
        for layer, (inputs, outputs) in enumerate(pairwise(sizes)):
            spread = np.sqrt(2 / inputs) * (0.01 if layer == 2 else 1.0)
            arrays += [rng.normal(0, spread, (inputs, outputs)), rng.uniform(-0.5, 0.5, outputs)]
        arrays[-1] = np.full(self.num_actions, self.initial_value)
        return arrays

    def _none(self) -> Transitions:
        return Transitions(
            np.zeros((0, self.size)),
            np.zeros(0, dtype=np.int64),
            np.zeros(0),
            np.zeros((0, self.size)),
            np.zeros(0, dtype=np.bool_),
        )

    # -- files ---------------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Networks, moments, and the transitions that wait."""
        state: dict[str, Any] = {"steps": self.steps}
        for name in ("weights", "target", "first", "second"):
            for number, tensor in enumerate(getattr(self, f"_{name}")):
                state[f"{name}.{number}"] = tensor.detach().numpy().copy()
        for name, column in zip(Transitions._fields, self._waiting, strict=True):
            state[f"waiting.{name}"] = column.copy()
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to what `get_state` returned.

        Raises:
            ValueError: for arrays of another shape; these values are then as they were.
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
