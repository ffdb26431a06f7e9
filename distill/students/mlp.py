"""Multilayer perceptron (MLP), and the linear student."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from dynamaze.common.optional_imports import optional_import
from dynamaze.common.validation import checked_integer

from .base import Student, as_floats, checked_shape
from .shapes import check_size

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import Tensor, nn  # noqa: E402


class MLP(Student):
    """Fully connected layers with tanh between them.

    Suited to flat observations of a single task.

    Tanh, not ReLU: in networks of a few units a ReLU that is inactive on all inputs never recovers.

    Args:
        observation_shape: shape of a single observation; it is flattened.
        num_actions: number of actions.
        width: units of each hidden layer.
        layers: number of hidden layers; 0 makes it linear.
        seed: seed of the initial weights.

    Raises:
        ValueError: for a number outside its range.
    """

    def __init__(
        self,
        observation_shape: Sequence[int],
        num_actions: int,
        width: int = 16,
        *,
        layers: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.observation_shape = checked_shape(observation_shape)
        actions = checked_integer("num_actions", num_actions, 1)
        width = checked_integer("width", width, 1)
        hidden = checked_integer("layers", layers, 0)
        self.config = {
            "kind": "mlp",
            "observation_shape": list(self.observation_shape),
            "num_actions": actions,
            "width": width,
            "layers": hidden,
        }
        check_size(self.config)
        self.sizes = (prod(self.observation_shape), *[width] * hidden, actions)
        self.feature_path = f"layers.{hidden - 1}" if hidden else None
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            pairs = zip(self.sizes, self.sizes[1:], strict=False)
            self.layers = nn.ModuleList(nn.Linear(inputs, outputs) for inputs, outputs in pairs)

    def forward(self, observations: Tensor) -> Tensor:
        """Return (batch, actions) logits for (batch, *observation_shape) observations."""
        units = as_floats(observations, self.observation_shape).flatten(1)
        for layer in self.layers[:-1]:
            units = torch.tanh(layer(units))
        logits: Tensor = self.layers[-1](units)
        return logits

    def multiply_adds(self, observation_shape: tuple[int, ...]) -> int:
        """Return the multiply-adds of all layers."""
        return sum(a * b for a, b in zip(self.sizes, self.sizes[1:], strict=False))


class Linear(MLP):
    """Linear student: each logit is a weighted sum of the observation.

    Suited to one-hot cells of a single maze, of which it is a table of logits.

    Args:
        observation_shape: shape of a single observation; it is flattened.
        num_actions: number of actions.
        seed: seed of the initial weights.

    Raises:
        ValueError: for a number outside its range.
    """

    def __init__(
        self, observation_shape: Sequence[int], num_actions: int, *, seed: int = 0
    ) -> None:
        super().__init__(observation_shape, num_actions, layers=0, seed=seed)
        self.config = {
            "kind": "linear",
            "observation_shape": list(self.observation_shape),
            "num_actions": self.sizes[-1],
        }
