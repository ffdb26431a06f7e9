"""What methods may ask of the training loop: its networks, batches, teacher and random numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from dynamaze.common.optional_imports import optional_import
from dynamaze.common.validation import checked_choice, checked_number

from ..core.checks import name_of
from ..core.dataset import make_batch
from ..core.distributions import distribution_of
from ..core.losses import Loss, Targets, divergence_of, make_loss, value_mse
from ..data.source import BatchSource, label_batch
from ..students.base import Student, TrainingOutput
from ..students.initial import initial_weights
from ..teachers import as_teacher
from ..teachers.modules import teacher_module
from .batches import TensorBatch, as_tensors
from .parts import ALWAYS_RANDOM, Part
from .taps import Tap

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import Tensor, nn  # noqa: E402

TEACHER = "teacher"
"""Name of the teacher's network, for taps."""


class Loop:
    """The parts, sources and teacher of a training, as its method sees them.

    Made by `Distiller`, whose arguments these are.

    Attributes:
        students: the students by name.
        parts: all networks that are trained or stored, by name, students first.
        sources: the sources by name; a single one has the name "source".
        teacher: the teacher as returned by `as_teacher`, or None.
        loss: the loss of a student's outputs against labels.
        loss_name: its name; "custom" for a function.
        total_steps: number of training steps.
        step: training steps taken.
        spans: equal parts of the training, in each of which all schedules begin anew; 1 unless a
            method sets it in its setup.
        rng: generator of the batches.
        device: device of the parts.
    """

    def __init__(
        self,
        students: Mapping[str, Student],
        sources: Mapping[str, BatchSource],
        *,
        total_steps: int,
        teacher: Any,
        loss: str | Loss,
        value_coef: float,
        learning_rate: float | Mapping[str, float],
        progress_from: float,
        device: torch.device,
        seed: int,
    ) -> None:
        self.students, self.sources = dict(students), dict(sources)
        self.total_steps, self.step, self.spans = total_steps, 0, 1
        self.loss, self.loss_name = make_loss(loss), loss if isinstance(loss, str) else "custom"
        self.value_coef = checked_number("value_coef", value_coef, 0)
        self.progress_from = checked_number("progress_from", progress_from, 0, 1)
        self.device, self.seed = device, seed
        self.rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])
        self.parts: dict[str, Part] = {}
        for number, (name, student) in enumerate(self.students.items()):
            rate = learning_rate[name] if isinstance(learning_rate, Mapping) else learning_rate
            checked_number("learning_rate", rate, 0, above=True)
            self._add(name, student, (1, number), learning_rate=rate)
        self.teacher = _teacher_of(teacher, self.sources)
        self._module = None if self.teacher is None else teacher_module(self.teacher)
        self._taps: list[Tap] = []
        self._last_pass: tuple[Tensor, Tensor] | None = None  # of the teacher, in this step
        self._is_set_up = False

    @property
    def progress(self) -> float:
        """Training progress in [0, 1] of the present span, from `progress_from`."""
        return self.progress_from + (1 - self.progress_from) * self.fraction

    @property
    def fraction(self) -> float:
        """Fraction of the steps of the present span that were taken, for step sizes."""
        span = self.total_steps // self.spans
        return (self.step % span or span * (self.step == self.total_steps)) / span

    @property
    def gives(self) -> frozenset[str]:
        """What the teacher and the sources give beyond labels, of `NEEDS`."""
        given = {name for each in self.sources.values() for name in getattr(each, "gives", ())}
        if self._module is not None:
            given |= {"module", "layers"}
        if hasattr(self.teacher, "state_values"):
            given.add("values")
        return frozenset(given)

    def add(
        self,
        name: str,
        module: nn.Module | Callable[[], nn.Module],
        *,
        learning_rate: float = 1e-3,
        **settings: Any,
    ) -> Part:
        """Add a network of the method's own; in `Method.setup` only.

        Args:
            name: a new name.
            module: the network, or a function that makes it, in which torch's generator is seeded
                from the part's own; it is moved to the device.
            learning_rate: initial step size of its optimizer; 0 for a fixed network.
            **settings: the schedule, the class of the optimizer and its arguments (see `Part`).

        Returns:
            The part.

        Raises:
            ValueError: for a name that exists, or a network that shares a weight with another part.
            RuntimeError: outside of `Method.setup`, when it would be missing from checkpoints.
        """
        if self._is_set_up:
            raise RuntimeError(f"part {name!r} added after setup; expected it in Method.setup")
        number = len(self.parts) - len(self.students)
        return self._add(name, module, (2, number), learning_rate=learning_rate, **settings)

    def draw(self, source: str | None = None) -> TensorBatch:
        """Draw a batch, and label it by one pass of the teacher if it has no labels.

        Args:
            source: name of the source; None for the first.

        Raises:
            ValueError, TypeError: for invalid labels, or an unknown source.
        """
        batch = self.draw_unlabelled(source)
        if batch.labels is not None or self.teacher is None:
            return batch
        return replace(batch, labels=self.label(batch.observations))

    def draw_unlabelled(self, source: str | None = None) -> TensorBatch:
        """Draw a batch as the source gives it, with labels or without.

        Raises:
            ValueError, TypeError: for invalid labels, or an unknown source.
        """
        name = next(iter(self.sources)) if source is None else source
        given = self.sources[checked_choice("source", name, self.sources)]
        return as_tensors(given.batch(self.rng, self.progress), type(given).__name__, self.device)

    def labelled(self, observations: Any) -> TensorBatch:
        """Return observations of the method's own, an array, as a batch with the teacher's labels.

        Raises:
            TypeError: without a teacher.
            ValueError: for invalid labels.
        """
        batch = as_tensors(make_batch(observations, None), "the method", self.device)
        return replace(batch, labels=self.label(batch.observations))

    def label(self, observations: Tensor) -> Targets:
        """Return the teacher's labels of observations, and its state values if it has any.

        Raises:
            TypeError: without a teacher.
            ValueError: for invalid labels.
        """
        if self.teacher is None:
            raise TypeError("labels without a teacher; expected `Distiller(..., teacher=)`")
        seen = observations.detach().cpu().numpy()
        batch = label_batch(self.teacher, seen)
        labels = as_tensors(batch, name_of(self.teacher), self.device).labels
        assert labels is not None
        return labels

    def teacher_logits(self, observations: Tensor) -> Tensor:
        """Return the (queries, actions) logits of the teacher's network, with their graph.

        The teacher's weights get no gradient unless they are a part. Taps of "teacher" are filled.
        Where no gradient is asked for, the pass that has just labelled a batch serves for its
        observations, if the method taps the teacher.

        Raises:
            TypeError: for a teacher that is no network.
        """
        module = self.teacher_module()
        if module.training:
            module.eval()
        if self._last_pass is not None and not torch.is_grad_enabled():
            seen, logits = self._last_pass
            if seen.dtype == observations.dtype and torch.equal(seen, observations):
                return logits
        return module(observations)  # type: ignore[no-any-return]

    def _record_pass(self, module: nn.Module, inputs: Any, output: Any) -> None:
        """Record a pass of the teacher's network; a forward hook of it."""
        if isinstance(output, Tensor):
            self._last_pass = inputs[0], output

    def teacher_module(self) -> nn.Module:
        """Return the teacher's network, from observations to logits.

        Raises:
            TypeError: for a teacher that is no network.
        """
        if self._module is None:
            raise TypeError(f"{described(self.teacher)} is no network; {EXPECTED['module']}")
        return self._module.to(self.device)

    def answers(self, name: str, observations: Tensor) -> list[TrainingOutput]:
        """Return a part's outputs in training, with their graph.

        Args:
            name: a student, or a part whose network takes a batch of observations.
            observations: the batch.

        Returns:
            The outputs that enter the loss, of which the last is the network's answer; several for
            students that train inner iterations.
        """
        part = self._part(name)
        module = part.module
        with self._torch_rng(part):
            if isinstance(module, Student):
                return module.training_outputs(observations, self.progress, part.rng)
            return [TrainingOutput(module(observations))]

    def supervised(
        self, name: str, outputs: Sequence[TrainingOutput], batch: TensorBatch
    ) -> Tensor:
        """Return the loss of a student's outputs against a batch's labels, a scalar.

        It is the loop's loss, averaged over the outputs, and that of the state values.

        Raises:
            TypeError: for a batch without labels, or labels of other actions.
            ValueError: for outputs of another shape.
        """
        return self._mean_loss(name, outputs, batch.targets, self.loss)

    def divergence(self, name: str, outputs: Sequence[TrainingOutput], answers: Tensor) -> Tensor:
        """Return KL(other || student) from another network's answers, a scalar.

        It is averaged over the rows and the outputs. State values do not enter.

        Args:
            name: the student.
            outputs: the student's.
            answers: (queries, actions) logits of the other network, or parameters of its Gaussian;
                they get no gradient.

        Raises:
            ValueError: for outputs of another shape.
        """
        targets = Targets(answers.detach(), torch.ones(len(answers), device=self.device))
        without_values = [each._replace(values=None) for each in outputs]
        loss = divergence_of(distribution_of(self._part(name).module))
        return self._mean_loss(name, without_values, targets, loss)

    def tap(self, name: str, path: str) -> Tap:
        """Return a tap of an inner layer; in `Method.setup` only.

        Args:
            name: a part, or "teacher".
            path: path of the layer, as in `named_modules`.

        Raises:
            ValueError: for an unknown part or path, listing the known ones.
            TypeError: for a teacher that is no network.
        """
        is_part = name in self.parts or name != TEACHER
        module = self._part(name).module if is_part else self.teacher_module()
        tap = Tap(name, module, path)
        self._taps.append(tap)
        return tap

    def copy_weights(self, to: str, of: str) -> None:
        """Copy the weights of one part into another of the same shapes."""
        with torch.no_grad():
            self._part(to).module.load_state_dict(self._part(of).module.state_dict())

    def restart(self, name: str, weights: Mapping[str, Any] | None = None) -> None:
        """Replace a part's weights, and forget its optimizer's moments.

        Args:
            name: the part.
            weights: its `state_dict`; None for random ones, drawn by the part's generator (see
                `initial_weights`).

        Raises:
            TypeError: for random weights of a network with a layer that cannot draw them.
        """
        part = self._part(name)
        part.restart(initial_weights(part.module, part.rng) if weights is None else weights)

    # -- inside --------------------------------------------------------------------------------

    def _add(
        self,
        name: str,
        module: nn.Module | Callable[[], nn.Module],
        spawn_key: tuple[int, int],
        **settings: Any,
    ) -> Part:
        if name in self.parts:
            raise ValueError(f"two parts {name!r}; expected different names")
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=spawn_key))
        if not isinstance(module, nn.Module):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(int(rng.integers(2**63)))
                module = module()
        _check_shared(self.parts, name, module)
        self.parts[name] = Part(name, module.to(self.device), rng, **settings)
        return self.parts[name]

    def _part(self, name: str) -> Part:
        part = self.parts.get(name)
        return self.parts[checked_choice("part", name, self.parts)] if part is None else part

    @contextmanager
    def _torch_rng(self, part: Part) -> Iterator[None]:
        """Seed torch's global generator from the part's own for modules that draw from it."""
        if not any(map(_draws, part.random_layers)):
            yield
            return
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(int(part.rng.integers(2**63)))
            yield

    def _mean_loss(
        self, name: str, outputs: Sequence[TrainingOutput], targets: Targets, loss: Loss
    ) -> Tensor:
        """Return a loss averaged over a student's outputs."""
        targets = targets._replace(distribution=distribution_of(self._part(name).module))
        found = [self._loss_of(name, each, targets, loss) for each in outputs]
        is_scalar = len(found) == 1 and not found[0].ndim  # its mean would take as long as the loss
        return found[0] if is_scalar else torch.stack(found).mean()

    def _loss_of(self, name: str, outputs: TrainingOutput, targets: Targets, of: Loss) -> Tensor:
        """Return the loss of one of a student's outputs."""
        logits, weights, values = outputs
        if logits.shape != targets.logits.shape:
            raise ValueError(
                f"student {name!r} gives logits of shape {tuple(logits.shape)} and the teacher "
                f"of {tuple(targets.logits.shape)}; expected the same queries and actions"
            )
        if weights is not None:
            targets = targets._replace(weights=targets.weights * weights)
        loss = of(logits, targets)
        if values is None or self.value_coef == 0:
            return loss
        return loss + self.value_coef * value_mse(values, targets)


def _draws(layer: torch.nn.Module) -> bool:
    """Return True for one of a part's `random_layers` that now draws random numbers."""
    if isinstance(layer, ALWAYS_RANDOM):
        return layer.training
    is_dropout = isinstance(layer, torch.nn.modules.dropout._DropoutNd)
    rate = getattr(layer, "p" if is_dropout else "dropout", 0)
    return bool(layer.training and rate)


def _check_shared(parts: Mapping[str, Part], name: str, module: nn.Module) -> None:
    """Refuse a network that shares a weight with a part: each optimizer would change it."""
    named = (*module.named_parameters(), *module.named_buffers())
    own = {id(weight): key for key, weight in named}
    for other, part in parts.items():
        for weight in (*part.module.parameters(), *part.module.buffers()):
            if id(weight) in own:
                kind = "students" if isinstance(module, Student) else "parts"
                raise ValueError(
                    f"{kind} {other!r} and {name!r} share {own[id(weight)]}; expected networks of "
                    "their own"
                )


EXPECTED = {
    "module": "expected a network: a torch module, a student, or a PPO, A2C or DQN model",
    "layers": "expected a network: a torch module, a student, or a PPO, A2C or DQN model",
    "values": "expected a teacher with state_values, such as an ActorCritic",
    "reward": 'expected one with rewards, whose `gives` has "reward"',
}


def described(teacher: Any) -> str:
    """Return how messages name a teacher or its absence."""
    return "no teacher" if teacher is None else f"the teacher {name_of(teacher)}"


def _teacher_of(teacher: Any, sources: Mapping[str, BatchSource]) -> Any:
    given = [teacher, *(getattr(each, "teacher", None) for each in sources.values())]
    found = next((each for each in given if each is not None), None)
    return None if found is None else as_teacher(found)
