"""Parts of a training: networks with their optimizers, schedules and random generators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dynamaze.common.optional_imports import optional_import
from dynamaze.common.storage import CheckpointError
from dynamaze.common.validation import checked_number

from ..core.old_names import current_config
from ..students.base import Student

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import Tensor, nn  # noqa: E402

Schedule = Callable[[float], float]
"""Factor of the step size for the fraction of the training steps that were taken, from 0 to 1."""


def linear_decay(fraction: float) -> float:
    """Return the factor that falls linearly from 1 to a thousandth."""
    return max(1e-3, 1 - fraction)


ALWAYS_RANDOM = torch.nn.RReLU, torch.nn.FractionalMaxPool2d
"""Layers that draw from torch's global generator in training."""

PERHAPS_RANDOM = (
    torch.nn.modules.dropout._DropoutNd,
    torch.nn.RNNBase,
    torch.nn.MultiheadAttention,
)
"""Layers that do so at a rate above 0."""


class Part:
    """A network of a training, with what its training needs.

    Args:
        name: its name.
        module: the network.
        rng: generator of what the network samples itself in training.
        learning_rate: initial step size; 0 for a fixed network.
        schedule: factor of the step size during training.
        optimizer: class of the optimizer.
        **settings: further arguments of the optimizer, such as betas.

    Attributes:
        random_layers: layers that may draw from torch's global generator, found once, as the search
            takes longer than a step of a small layer.

    Raises:
        ValueError: for a step size below 0, or a network to be trained without weights.
    """

    def __init__(
        self,
        name: str,
        module: nn.Module,
        rng: np.random.Generator,
        *,
        learning_rate: float,
        schedule: Schedule = linear_decay,
        optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
        **settings: Any,
    ) -> None:
        self.name, self.module, self.rng, self.schedule = name, module, rng, schedule
        self.random_layers = [
            layer
            for layer in module.modules()
            if isinstance(layer, (*ALWAYS_RANDOM, *PERHAPS_RANDOM))
        ]
        self.learning_rate = checked_number(f"learning_rate of {name}", learning_rate, 0)
        self._settings: tuple[Any, dict[str, Any]] = optimizer, settings
        self.optimizer = self._new_optimizer()

    def _new_optimizer(self) -> torch.optim.Optimizer | None:
        make, settings = self._settings
        if not self.learning_rate:
            return None
        return make(self.module.parameters(), self.learning_rate, **settings)  # type: ignore[no-any-return]

    @property
    def parameters(self) -> list[Tensor]:
        """Weights that the optimizer has; to look for them in the network takes longer."""
        groups = [] if self.optimizer is None else self.optimizer.param_groups
        return [weight for group in groups for weight in group["params"]]

    @property
    def weights(self) -> list[Tensor]:
        """Weights that are trained."""
        return [weight for weight in self.parameters if weight.requires_grad]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        assert self.optimizer is not None
        self.optimizer.zero_grad()

    def step(self, fraction: float, clip: float) -> None:
        """Take an optimizer step along the gradients that the weights hold.

        Args:
            fraction: of the training steps that were taken.
            clip: maximum norm of the gradient.
        """
        assert self.optimizer is not None
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate * self.schedule(fraction)
        torch.nn.utils.clip_grad_norm_(self.parameters, clip)
        self.optimizer.step()

    def restart(self, weights: Mapping[str, Any]) -> None:
        """Replace the weights, and forget the optimizer's moments."""
        self.module.load_state_dict(dict(weights))
        self.optimizer = self._new_optimizer()

    # -- files -----------------------------------------------------------------------------------

    def kind(self) -> dict[str, Any]:
        """Return the properties that this network must share with one in a checkpoint."""
        shapes = {name: list(weight.shape) for name, weight in self.module.named_parameters()}
        if isinstance(self.module, Student):
            config = self.module.config
            kind = {name: config.get(name) for name in ("kind", "bits", "granularity")}
        else:
            kind = {"kind": type(self.module).__qualname__}
        return {**kind, "shapes": shapes}

    def get_state(self) -> dict[str, Any]:
        """Return weights, the optimizer's moments and the generator's state."""
        return {
            "config": self.kind(),
            "weights": self.module.state_dict(),
            "optimizer": {} if self.optimizer is None else self.optimizer.state_dict()["state"],
            "rng": self.rng.bit_generator.state,
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore what `get_state` returned and `check_state` accepted."""
        restore_tensors(self.module, self.optimizer, state)
        self.rng.bit_generator.state = state["rng"]

    def check_state(self, state: Mapping[str, Any]) -> None:
        """Check numbers and shapes of a stored state.

        Raises:
            ValueError: for another network, a number that is not finite, or moments of another
                shape.
        """
        if current_config(state["config"]) != self.kind():
            raise ValueError(
                f"{self.name} is {state['config']} there; expected {self.kind()}, as here"
            )
        check_weights(self.module, state)


def restore_tensors(
    module: nn.Module, optimizer: torch.optim.Optimizer | None, part: Mapping[str, Any]
) -> None:
    """Restore a network's weights and its optimizer's state.

    Raises:
        dynamaze.common.storage.CheckpointError: (a ValueError) if the weights are not the
            network's.
    """
    weights = {name: _tensor(array) for name, array in part["weights"].items()}
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        first = str(error).splitlines()[-1].strip()
        raise CheckpointError(f"weights that do not fit the student: {first}") from None
    if optimizer is None:
        return
    memory = {
        number: {name: _tensor(array) for name, array in entry.items()}
        for number, entry in part["optimizer"].items()
    }
    optimizer.load_state_dict(
        {"state": memory, "param_groups": optimizer.state_dict()["param_groups"]}
    )


def check_weights(module: nn.Module, part: Mapping[str, Any]) -> None:
    """Check a network's weights and its optimizer's state from a file.

    Raises:
        ValueError: for a number that is not finite, or moments of another shape.
    """
    for name, array in part["weights"].items():
        if not np.isfinite(array).all():
            raise ValueError(f"weights {name} that are not finite")
    shapes = [tuple(weight.shape) for weight in module.parameters()]
    for number, entry in part["optimizer"].items():
        for name, array in entry.items():
            if not np.isfinite(array).all():
                raise ValueError(f"an optimizer's {name} that is not finite")
            if np.shape(array) not in ((), shapes[number]):
                raise ValueError(
                    f"an optimizer's {name} of shape {np.shape(array)}; expected {shapes[number]}"
                )


def _tensor(array: Any) -> Tensor:
    return torch.as_tensor(array).clone()
