"""Training loop of distillation: the parts, their updates, and what methods may ask of it."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from rich.progress import track

from dynamaze.common.optional_imports import optional_import
from dynamaze.common.validation import checked_choice, checked_integer, checked_number

from ..core.checks import name_of
from ..core.distributions import distribution_of
from ..core.losses import Loss, Targets, divergence_of, make_loss, value_mse
from ..data.source import BatchSource, label_batch
from ..methods.base import NEEDS, Method, Update
from ..methods.registry import make_method
from ..students.base import Student, TrainingOutput
from ..students.initial import initial_weights
from ..teachers import as_teacher
from ..teachers.modules import fingerprint, teacher_module
from . import checkpoint
from .batches import TensorBatch, as_tensors
from .hidden_state import HiddenState
from .parts import Part
from .taps import Tap

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import Tensor, nn  # noqa: E402

ONLY = "student"
"""Name of a single student."""

TEACHER = "teacher"
"""Name of the teacher's network, for taps."""


class TrainingStep(NamedTuple):
    """Argument of callbacks, after each training step."""

    step: int  # steps taken, from 1
    total: int  # steps of the whole training
    losses: dict[str, float]  # of each part that took a step: the sum of its terms, no penalty
    distiller: Distiller
    terms: dict[str, float]  # each loss term, as "student/soft"


Callback = Callable[[TrainingStep], bool | None]
"""Called after each step; False ends training. A stateful one has `get_state`, `set_state`."""


class Distiller:
    """Trains one student, or several at once, to imitate a teacher.

    A method says what is drawn at each step, which loss terms there are, and which networks are
    updated (see `Method`). By default the source returns a batch, which the teacher has labelled
    once, and each student takes a step of Adam on its loss.

    The networks are parts: the students, and what the method adds, such as critics, projections
    and stale copies. Each has an optimizer, a schedule and a generator of its own, and all of them
    are stored by `save`, so that a run that is continued with `resume` is bit-identical to one
    without interruption. Batches come from one more generator. So a student's result does not
    depend on the others where the method does not make it, except that the position of a student
    decides the seed of its generator.

    A checkpoint also has what is found inside the loss, the method, the source and the callbacks:
    random generators, fixed networks, numbers that have changed (see `hidden_state`). Nothing of it
    is trained. A part with dropout draws from its own generator, not from torch's global one;
    `torch.nn.functional.dropout` and other hidden draws from that are not found.

    Args:
        students: one, or several by name.
        source: batch source (`Dataset`, `FunctionSource`, `Rollouts` or a custom one), or several
            by name, for methods that draw from several; None for methods that need none.
        method: a name of `METHODS`, or the result of `make_method`.
        total_steps: number of training steps; the schedules depend on it.
        teacher: anything that `as_teacher` takes, for methods that use more of it than labels; None
            for the source's. It labels batches that have no labels.
        loss: a name ("kl", "nll", "mse", "reverse_kl"; "gaussian_kl" for continuous actions) or a
            function of logits and targets. It may hold fixed networks, and use a student's weights.
        value_coef: weight of `value_mse`, for students with values (`ActorCritic`).
        learning_rate: Adam's initial step size, of all students or of each by name; it decreases
            linearly to a thousandth.
        clip: maximum norm of a part's gradient.
        progress_from: progress at the start, for the schedules of students and source; 1 to train
            on a student that is trained already. The step size decreases all the same.
        device: device of the parts; None for a GPU if there is one and a student is large, else
            the CPU.
        seed: seed of all random numbers.

    Attributes:
        students: the students by name.
        parts: all networks that are trained or stored, by name, students first.
        sources: the sources by name; a single one has the name "source".
        method: the method.
        teacher: the teacher as returned by `as_teacher`, or None.
        step: training steps taken.
        spans: equal parts of the training, in each of which all schedules begin anew; 1 unless a
            method sets it in its setup.
        rng: generator of the batches.

    Raises:
        ValueError: for a number outside its range, no students, students that share a weight, or
            an unknown loss or method; and, by the method, for what it cannot use.
        TypeError: for a student of other actions than the source's teacher, where its kind is
            known; for a teacher or a source without what the method needs; for a loss or a method
            with weights to be trained that are no part's; and, at the first step, for a loss of
            other actions than the student's, or a batch without labels where they are needed.

    Warns:
        UserWarning: for a student that is larger than its teacher.
    """

    def __init__(
        self,
        students: Student | Mapping[str, Student],
        source: BatchSource | Mapping[str, BatchSource] | None,
        method: str | Method = "soft",
        *,
        total_steps: int,
        teacher: Any = None,
        loss: str | Loss = "kl",
        value_coef: float = 0.5,
        learning_rate: float | Mapping[str, float] = 1e-3,
        clip: float = 1.0,
        progress_from: float = 0.0,
        device: str | None = None,
        seed: int = 0,
    ) -> None:
        self.students = dict(students) if isinstance(students, Mapping) else {ONLY: students}
        if not self.students:
            raise ValueError("no students; expected at least one")
        self.sources = _named_sources(source)
        self.total_steps = checked_integer("total_steps", total_steps, 1)
        for each in self.sources.values():
            _check_distributions(self.students, each)
        self.loss, self.loss_name = make_loss(loss), loss if isinstance(loss, str) else "custom"
        self.value_coef = checked_number("value_coef", value_coef, 0)
        self.clip = checked_number("clip", clip, 0, above=True)
        self.progress_from = checked_number("progress_from", progress_from, 0, 1)
        self.device = torch.device(device or _best_device(self.students))
        self.seed = seed
        self.rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])
        self.parts: dict[str, Part] = {}
        for number, (name, student) in enumerate(self.students.items()):
            rate = learning_rate[name] if isinstance(learning_rate, Mapping) else learning_rate
            checked_number("learning_rate", rate, 0, above=True)
            self._add(name, student, (1, number), learning_rate=rate)
        self.step, self.spans = 0, 1
        self.teacher = _teacher_of(teacher, self.sources)
        self.fingerprint = fingerprint(self.teacher)
        self._module = None if self.teacher is None else teacher_module(self.teacher)
        self._taps: list[Tap] = []
        self._running: list[Any] = []  # callbacks of a call of `distil`
        self.method = make_method(method)
        self._check_needs()
        self._is_set_up = False
        self.method.setup(self)
        self._is_set_up = True
        roots = {"loss": self.loss, "method": self.method, **_roots(self.sources)}
        self.hidden = HiddenState({name: part.module for name, part in self.parts.items()}, roots)
        _warn_of_large(self.students, self.teacher)

    @property
    def source(self) -> BatchSource | None:
        """The only source, or the first; None without one. It may be replaced."""
        return next(iter(self.sources.values()), None)

    @source.setter
    def source(self, source: BatchSource) -> None:
        name = next(iter(self.sources), "source")
        self.sources[name] = source

    @property
    def student(self) -> Student:
        """The only student.

        Raises:
            ValueError: if there are several.
        """
        if len(self.students) > 1:
            raise ValueError(f"{len(self.students)} students; expected `students[name]`")
        return next(iter(self.students.values()))

    @property
    def progress(self) -> float:
        """Training progress in [0, 1], from `progress_from`, of the present span."""
        return self.progress_from + (1 - self.progress_from) * self.fraction

    @property
    def fraction(self) -> float:
        """Fraction of the steps of the present span that were taken, for step sizes."""
        span = self.total_steps // self.spans
        return (self.step % span or span * (self.step == self.total_steps)) / span

    # -- training ------------------------------------------------------------------------------

    def distil(
        self,
        steps: int | None = None,
        callback: Callback | Sequence[Callback] = (),
        *,
        progress_bar: bool = False,
    ) -> Distiller:
        """Train, continuing after the last call or checkpoint.

        Args:
            steps: number of training steps; None for all that remain.
            callback: one or several, called after each step; False ends training.
            progress_bar: show one in the terminal.

        Returns:
            The distiller itself.

        Raises:
            ValueError: for a negative number of steps, labels, weights or a loss that are not
                finite, or a student with other outputs than the labels.
            TypeError: for a loss of other actions than the student's, or labels that are no
                numbers.
        """
        left = self.total_steps - self.step
        count = left if steps is None else checked_integer("steps", steps, 0)
        callbacks = [callback] if callable(callback) else list(callback)
        steps_taken: Any = islice(self.steps(), min(count, left))
        if progress_bar:
            steps_taken = track(steps_taken, description="distilling", total=min(count, left))
        self._running = callbacks
        try:
            for step in steps_taken:
                results = [each(step) for each in callbacks]  # all are called, even if one stops
                if False in results:
                    break
        finally:
            self._running = []
        return self

    def steps(self) -> Iterator[TrainingStep]:
        """Train to the end and yield each step; at each yield the distiller may be saved."""
        while self.step < self.total_steps:
            losses: dict[str, float] = {}
            terms: dict[str, float] = {}
            with self._tapping():
                for update in self.method.step(self):
                    self._apply(update, losses, terms)
            self.step += 1
            yield TrainingStep(self.step, self.total_steps, losses, self, terms)

    def _apply(self, update: Update, losses: dict[str, float], terms: dict[str, float]) -> None:
        """Take one optimizer step of the parts that an update names."""
        parts = [self._trained_part(name) for name in update.of]
        if not parts or not update.terms:
            raise ValueError("an update without parts or terms; expected at least one of each")
        total = sum(update.terms.values())
        label = "+".join(update.of)
        numbers = {f"{label}/{name}": float(term.detach()) for name, term in update.terms.items()}
        number = sum(numbers.values())
        if not math.isfinite(number):  # before the weights are lost
            kind = "student" if update.of[0] in self.students else "part"
            raise ValueError(
                f"the loss of {kind} {label!r} in step {self.step + 1} is {number} ({numbers}); "
                "expected a finite one: finite observations and weights, and a smaller learning "
                "rate"
            )
        for part in parts:
            part.module.zero_grad()
            if isinstance(part.module, Student):
                total = total + part.module.penalty(self.progress)
        assert isinstance(total, Tensor)
        # Only the parts that are named get a gradient.
        total.backward(inputs=[weight for part in parts for weight in part.weights])  # type: ignore[no-untyped-call]
        for part in parts:
            part.step(self.fraction, self.clip)
            losses[part.name] = losses.get(part.name, 0.0) + number
        for name, term in numbers.items():
            terms[name] = terms.get(name, 0.0) + term

    def _trained_part(self, name: str) -> Part:
        part = self._part(name)
        if part.optimizer is None:
            raise ValueError(f"an update of {name!r}, whose learning rate is 0; expected none")
        return part

    # -- for methods ---------------------------------------------------------------------------

    def add(
        self, name: str, module: nn.Module, *, learning_rate: float = 1e-3, **settings: Any
    ) -> Part:
        """Add a network of the method's own; in `Method.setup` only.

        Args:
            name: a new name.
            module: the network; it is moved to the device.
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

        Raises:
            TypeError: for a teacher that is no network.
        """
        module = self.teacher_module()
        if module.training:
            module.eval()
        return module(observations)  # type: ignore[no-any-return]

    def teacher_module(self) -> nn.Module:
        """Return the teacher's network, from observations to logits.

        Raises:
            TypeError: for a teacher that is no network.
        """
        if self._module is None:
            raise TypeError(f"{_described(self.teacher)} is no network; {_EXPECTED['module']}")
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
                `initialise`).

        Raises:
            TypeError: for random weights of a network with a layer that cannot draw them.
        """
        part = self._part(name)
        part.restart(initial_weights(part.module, part.rng) if weights is None else weights)

    # -- inside --------------------------------------------------------------------------------

    def _add(
        self, name: str, module: nn.Module, spawn_key: tuple[int, int], **settings: Any
    ) -> Part:
        if name in self.parts:
            raise ValueError(f"two parts {name!r}; expected different names")
        _check_shared(self.parts, name, module)
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=spawn_key))
        self.parts[name] = Part(name, module.to(self.device), rng, **settings)
        return self.parts[name]

    def _part(self, name: str) -> Part:
        return self.parts[checked_choice("part", name, self.parts)]

    def _check_needs(self) -> None:
        """Refuse a teacher or a source without what the method needs."""
        method, needs = type(self.method).__name__, self.method.needs
        unknown = sorted(needs - set(NEEDS))
        if unknown:
            raise ValueError(f"{method}.needs has {unknown}; expected some of {list(NEEDS)}")
        if self.method.takes_source and not self.sources:
            raise TypeError(f"{method} without a source; expected a batch source")
        gives = set().union(*(getattr(each, "gives", ()) for each in self.sources.values()))
        if self._module is not None:
            gives |= {"module", "layers"}
        if hasattr(self.teacher, "state_values"):
            gives.add("values")
        for need in NEEDS:
            if need in needs - gives:
                who = "the source" if need == "reward" else _described(self.teacher)
                raise TypeError(f"{method} with {who}; {_EXPECTED[need]}")

    @contextmanager
    def _tapping(self) -> Iterator[None]:
        for tap in self._taps:
            tap.open()
        try:
            yield
        finally:
            for tap in self._taps:
                tap.close()

    @contextmanager
    def _torch_rng(self, part: Part) -> Iterator[None]:
        """Seed torch's global generator from the part's own for modules that draw from it."""
        if not any(_draws(module) for module in part.module.modules()):
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
        return torch.stack([self._loss_of(name, each, targets, loss) for each in outputs]).mean()

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

    # -- files ---------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str], callbacks: Sequence[Any] = ()) -> None:
        """Write a checkpoint, atomically and without pickle, for `resume`.

        Args:
            path: the file.
            callbacks: those with a state; during `distil` all of its callbacks that have one.

        Raises:
            ValueError: if a callback of the present `distil` has a state and is not among them.
            TypeError: for something with a state that cannot be stored, such as an iterator.
            OSError: if the file cannot be written; an older one stays as it was.
        """
        for each in self._running:
            if hasattr(each, "get_state") and not any(each is given for given in callbacks):
                raise ValueError(
                    f"the callback {type(each).__name__} has a state that would be lost; expected "
                    "it in callbacks, as in Checkpoints(path, callbacks=[...])"
                )
        checkpoint.save(self, path, callbacks)

    def resume(self, path: str | os.PathLike[str], callbacks: Sequence[Any] = ()) -> Distiller:
        """Restore a checkpoint of a distiller with the same arguments, also of version 0.1.

        Args:
            path: the file.
            callbacks: those whose states it holds, in the order of `save`.

        Raises:
            dynamaze.common.storage.CheckpointError: (a ValueError) for a file that is cut short,
                damaged, or of other students, another method or another teacher; then nothing is
                changed.
        """
        checkpoint.resume(self, path, callbacks)
        return self


def _draws(module: torch.nn.Module) -> bool:
    """Return True for a module that draws from torch's global generator in training."""
    if isinstance(module, (torch.nn.RReLU, torch.nn.FractionalMaxPool2d)):
        return module.training
    is_dropout = isinstance(module, torch.nn.modules.dropout._DropoutNd)
    drops = is_dropout or isinstance(module, (torch.nn.RNNBase, torch.nn.MultiheadAttention))
    rate = getattr(module, "p", None) if is_dropout else getattr(module, "dropout", 0)
    return bool(drops and module.training and rate)


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


_EXPECTED = {
    "module": "expected a network: a torch module, a student, or a PPO, A2C or DQN model",
    "layers": "expected a network: a torch module, a student, or a PPO, A2C or DQN model",
    "values": "expected a teacher with state_values, such as an ActorCritic",
    "reward": 'expected one with rewards, whose `gives` has "reward"',
}


def _described(teacher: Any) -> str:
    return "no teacher" if teacher is None else f"the teacher {name_of(teacher)}"


def _named_sources(
    source: BatchSource | Mapping[str, BatchSource] | None,
) -> dict[str, BatchSource]:
    if source is None:
        return {}
    return dict(source) if isinstance(source, Mapping) else {"source": source}


def _roots(sources: Mapping[str, BatchSource]) -> dict[str, BatchSource]:
    """Return the sources by the names that messages and checkpoints use."""
    if list(sources) == ["source"]:
        return dict(sources)
    return {f"sources[{name!r}]": each for name, each in sources.items()}


def _teacher_of(teacher: Any, sources: Mapping[str, BatchSource]) -> Any:
    given = [teacher, *(getattr(each, "teacher", None) for each in sources.values())]
    found = next((each for each in given if each is not None), None)
    return None if found is None else as_teacher(found)


def _check_distributions(students: Mapping[str, Student], source: BatchSource) -> None:
    """Refuse students with other actions than the teacher's, where its kind is known."""
    expected = getattr(source, "distribution", None)
    for name, student in students.items():
        found = distribution_of(student)
        if expected not in (None, found):
            raise TypeError(
                f"student {name!r} has {found} actions and the source's teacher {expected} ones; "
                "expected the same (GaussianStudent for continuous ones)"
            )


def _warn_of_large(students: Mapping[str, Student], teacher: Any) -> None:
    """Warn of students that are larger than their teacher, where its size is known."""
    size = getattr(teacher, "num_parameters", None)
    for name, student in students.items():
        if size is not None and student.num_parameters > size:
            warnings.warn(
                f"student {name!r} has {student.num_parameters} parameters, more than the "
                f"{size} of its teacher",
                stacklevel=3,
            )


LARGE = 100_000
"""Number of parameters from which on a student is trained on a GPU, if there is one."""


def _best_device(students: Mapping[str, Student]) -> str:
    is_large = any(student.num_parameters >= LARGE for student in students.values())
    return "cuda" if is_large and torch.cuda.is_available() else "cpu"
