"""Training loop of distillation: the updates that a method asks for, callbacks and checkpoints."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial, reduce
from itertools import islice
from operator import add
from typing import Any, NamedTuple

from dynamaze.common.optional_imports import optional_import
from dynamaze.common.progress import progress_bar as open_progress_bar
from dynamaze.common.validation import checked_integer, checked_number

from ..core.distributions import distribution_of
from ..core.losses import Loss
from ..data.source import BatchSource
from ..students.base import Student
from ..teachers.modules import fingerprint
from . import checkpoint
from .hidden_state import HiddenState
from .loop import EXPECTED, TEACHER, described
from .method import NEEDS, Method, Update, make_method
from .parts import Part

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message

ONLY = "student"
"""Name of a single student."""


class TrainingStep(NamedTuple):
    """Argument of callbacks, after each training step."""

    step: int  # steps taken, from 1
    total: int  # steps of the whole training
    losses: dict[str, float]  # of each part that took a step: the sum of its terms, no penalty
    distiller: Distiller
    terms: dict[str, float]  # each loss term, as "student/soft"


Callback = Callable[[TrainingStep], bool | None]
"""Called after each step; False ends training. A stateful one has `get_state`, `set_state`."""


class Distiller(checkpoint.StoredLoop):
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
        named = dict(students) if isinstance(students, Mapping) else {ONLY: students}
        if not named:
            raise ValueError("no students; expected at least one")
        sources = _named_sources(source)
        for each in sources.values():
            _check_distributions(named, each)
        super().__init__(
            named,
            sources,
            total_steps=checked_integer("total_steps", total_steps, 1),
            teacher=teacher,
            loss=loss,
            value_coef=value_coef,
            learning_rate=learning_rate,
            progress_from=progress_from,
            device=torch.device(device or _best_device(named)),
            seed=seed,
        )
        self.clip = checked_number("clip", clip, 0, above=True)
        self.fingerprint = fingerprint(self.teacher)
        self._running: list[Any] = []  # callbacks of a call of `distil`
        self.method = make_method(method)
        self._check_needs()
        self.method.setup(self)
        self._is_set_up = True
        roots = {"loss": self.loss, "method": self.method, **_roots(self.sources)}
        networks = {name: part.module for name, part in self.parts.items()}
        self.hidden = HiddenState(networks, roots, self._module)
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
            progress_bar: show one in the terminal, with the latest loss terms.

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
        count = min(count, left)
        self._running = callbacks
        try:
            with open_progress_bar("distilling", count) if progress_bar else nullcontext() as show:
                for number, step in enumerate(islice(self.steps(), count), 1):
                    if show is not None:
                        show(number, partial(terms_text, step.terms))
                    results = [each(step) for each in callbacks]  # all, even if one stops
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
        total = reduce(add, update.terms.values())
        label = update.of[0]
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
            part.zero_grad()
            if isinstance(part.module, Student):
                total = total + part.module.penalty(self.progress)
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

    def _check_needs(self) -> None:
        """Refuse a teacher or a source without what the method needs."""
        method, needs = type(self.method).__name__, self.method.needs
        unknown = sorted(needs - set(NEEDS))
        if unknown:
            raise ValueError(f"{method}.needs has {unknown}; expected some of {list(NEEDS)}")
        if self.method.takes_source and not self.sources:
            raise TypeError(f"{method} without a source; expected a batch source")
        least = self.method.least_students
        if len(self.students) < least:
            raise ValueError(
                f"{len(self.students)} student in {method}; expected at least {least}, which teach "
                "each other"
            )
        for need in NEEDS:
            if need in needs - self.gives:
                who = "the source" if need == "reward" else described(self.teacher)
                raise TypeError(f"{method} with {who}; {EXPECTED[need]}")

    @contextmanager
    def _tapping(self) -> Iterator[None]:
        """Record the outputs of tapped layers, by hooks that exist during a training step only."""
        hook = None
        if any(tap.name == TEACHER for tap in self._taps):
            hook = self.teacher_module().register_forward_hook(self._record_pass)
        for tap in self._taps:
            tap.open()
        try:
            yield
        finally:
            for tap in self._taps:
                tap.close()
            if hook is not None:
                hook.remove()
                self._last_pass = None

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


def terms_text(terms: Mapping[str, float]) -> str:
    """Return loss terms in one line: "soft 0.693 hints 0.012".

    Args:
        terms: name -> value; names are "part/term", and a part that all share is left out.
    """
    parts = {name.rpartition("/")[0] for name in terms}
    short = {name: name.rpartition("/")[2] if len(parts) == 1 else name for name in terms}
    return " ".join(f"{short[name]} {value:.3g}" for name, value in terms.items())
