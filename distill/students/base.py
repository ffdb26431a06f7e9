"""Base class of students that are torch modules, custom modules, and the checks of their inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.optional_imports import optional_import
from dynamaze.common.validation import checked_integer

from ..core.observations import MAX_BRIGHTNESS
from ..core.policy import softmax

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import Tensor, nn  # noqa: E402


class TrainingOutput(NamedTuple):
    """Outputs of a student that enter the loss, a row for each label of the batch."""

    logits: Tensor  # (queries, actions), or as `forward`
    weights: Tensor | None = None  # (queries,) factors that multiply the batch's weights
    values: Tensor | None = None  # (queries,) state values, if the student has any


class Student(nn.Module):
    """Network from a batch of observations to action logits.

    With continuous actions it returns means and then logarithms of standard deviations instead,
    (queries, 2 * dimensions), and has `action_gaussian` (see `GaussianStudent`).

    A custom student needs `forward` and, to be stored, `config`. It may override the hooks of
    training, `training_outputs` and `penalty`.

    Attributes:
        config: arguments of `make_student` for the same kind and size; JSON.
        feature_path: path of the last inner layer, as in `named_modules`, which methods compare
            with a teacher's by default; None where there is none.
    """

    config: dict[str, Any]
    feature_path: str | None = None

    @property
    def privileged(self) -> str:
        """Sentence on the information beyond labels that training uses; empty if there is none."""
        return ""

    def training_outputs(
        self, observations: Tensor, progress: float, rng: np.random.Generator
    ) -> list[TrainingOutput]:
        """Return the outputs that enter the loss; their losses are averaged.

        Most networks return one element. Iterative networks may return the outputs of several
        iterations, so that every iteration is trained.

        Args:
            observations: a batch.
            progress: training progress in [0, 1].
            rng: source of randomness.
        """
        return [TrainingOutput(self(observations))]

    def penalty(self, progress: float) -> Tensor:
        """Return a regularisation term that is added to the loss; zero by default."""
        return torch.zeros(())

    @property
    def num_parameters(self) -> int:
        """Number of trainable parameters."""
        return sum(weight.numel() for weight in self.parameters())

    @property
    def num_outputs(self) -> int | None:
        """Number of outputs of a query, actions or parameters of a Gaussian; None if unknown."""
        return getattr(self, "config", {}).get("num_actions")

    def multiply_adds(self, observation_shape: tuple[int, ...]) -> int:
        """Return the number of multiply-add operations of one decision.

        Args:
            observation_shape: shape of a single observation.
        """
        raise NotImplementedError(f"{type(self).__name__} does not count its multiply-adds")

    # -- a policy ------------------------------------------------------------------------------

    def action_logits(self, observations: Any) -> FloatArray:
        """Return (queries, actions) logits for a batch of observations."""
        device = next((weight.device for weight in self.parameters()), torch.device("cpu"))
        with torch.no_grad():
            logits = self(torch.as_tensor(np.asarray(observations), device=device))
        return logits.double().cpu().numpy()  # type: ignore[no-any-return]

    def action_probabilities(self, observations: Any) -> FloatArray:
        """Return (queries, actions) probabilities for a batch of observations."""
        return softmax(self.action_logits(observations))

    def act(self, observation: Any) -> Any:
        """Return the best action for one observation, the first of equal ones."""
        return int(self.action_logits(np.asarray(observation)[None])[0].argmax())


class ModuleStudent(Student):
    """Student made of any torch module from a batch of observations to (queries, actions) logits.

    It trains, is measured and acts as any student; but `make_student` cannot make it, so it cannot
    be stored by `save_student`. As a policy it is in evaluation mode.

    Args:
        module: the module. Floating point observations are cast to its precision, integers are
            passed unchanged.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.config = {"kind": "torch_module"}

    def forward(self, observations: Tensor) -> Tensor:
        """Return the module's (queries, actions) outputs.

        Raises:
            ValueError: if they have another shape.
        """
        if observations.is_floating_point():
            weight = next(self.module.parameters(), None)
            observations = observations.to(torch.float32 if weight is None else weight.dtype)
        logits = self.module(observations)
        if not isinstance(logits, Tensor) or logits.ndim != 2:
            found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise ValueError(f"the module gave {found}; expected a tensor of (queries, actions)")
        return logits

    def action_logits(self, observations: Any) -> FloatArray:
        """Return (queries, actions) logits for a batch of observations."""
        trained = [part for part in self.modules() if part.training]
        self.eval()
        try:
            return super().action_logits(np.asarray(observations))
        finally:
            for part in trained:
                part.training = True


def as_student(module: nn.Module) -> Student:
    """Return a module as a student; a student is returned unchanged.

    Raises:
        TypeError: if it is not a torch module.
    """
    if isinstance(module, Student):
        return module
    if not isinstance(module, nn.Module):
        raise TypeError(f"a student of type {type(module).__name__}; expected a torch module")
    return ModuleStudent(module)


def checked_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """Return the shape of a single observation as a tuple of ints.

    Raises:
        ValueError: for a length below 1; TypeError if one is not a number.
    """
    return tuple(checked_integer("observation_shape", n, 1) for n in shape)


def as_floats(observations: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return (batch, *shape) float32; images are scaled to [0, 1].

    Raises:
        ValueError: for observations of another shape.
    """
    if tuple(observations.shape[1:]) != shape:
        wanted = ", ".join(str(n) for n in ("batch", *shape))
        raise ValueError(f"observations of shape {tuple(observations.shape)}; expected ({wanted})")
    floats = observations.float()
    return floats / MAX_BRIGHTNESS if observations.dtype == torch.uint8 else floats
