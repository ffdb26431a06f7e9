"""Training loop of distillation, with checkpoints."""

from __future__ import annotations

import copy
import math
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from rich.progress import track

from dynamaze.common.optional_imports import optional_import
from dynamaze.common.storage import CheckpointError, read_checkpoint, write_checkpoint
from dynamaze.common.validation import checked_integer, checked_number

from ..core.dataset import Batch, check_batch
from ..core.distributions import distribution_of
from ..core.losses import Loss, Targets, make_loss, value_mse
from ..core.old_names import current_config
from ..data.source import BatchSource
from ..students.base import Student, TrainingOutput
from .hidden_state import HiddenState

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message

ONLY = "student"
"""Name of a single student."""


class TrainingStep(NamedTuple):
    """Argument of callbacks, after each training step."""

    step: int  # steps taken, from 1
    total: int  # steps of the whole training
    losses: dict[str, float]  # of each student, with the value loss, without the penalty
    distiller: Distiller


Callback = Callable[[TrainingStep], bool | None]
"""Called after each step; False ends training. A stateful one has `get_state`, `set_state`."""


class Distiller:
    """Trains one student, or several at once on the same batches, to imitate a teacher.

    At each step the source returns a batch, which the teacher has labelled once; each student takes
    a step of Adam on its loss. Batches come from one generator, and each student has one more of
    its own for what it samples itself. So a student's result does not depend on the others, except
    that the position of a student decides the seed of its generator, and a run that is continued
    with `save` and `resume` is bit-identical to one without interruption.

    A checkpoint also has what is found inside the loss, the source and the callbacks: random
    generators, fixed networks, numbers that have changed (see `hidden_state`). Nothing of it is
    trained. A student with dropout draws from its own generator, not from torch's global one;
    `torch.nn.functional.dropout` and other hidden draws from that are not found.

    Args:
        students: one, or several by name.
        source: batch source (`Dataset`, `FunctionSource`, `Rollouts` or a custom one).
        total_steps: number of training steps; the schedules depend on it.
        loss: a name ("kl", "nll", "mse", "reverse_kl"; "gaussian_kl" for continuous actions) or a
            function of logits and targets. It may hold fixed networks, and use a student's weights.
        value_coef: weight of `value_mse`, for students with values (`ActorCritic`).
        learning_rate: Adam's initial step size, of all students or of each by name; it decreases
            linearly to a thousandth.
        clip: maximum norm of a gradient.
        progress_from: progress at the start, for the schedules of students and source; 1 to train
            on a student that is trained already. The step size decreases all the same.
        device: device of the students; None for a GPU if there is one and a student is large, else
            the CPU.
        seed: seed of all random numbers.

    Attributes:
        step: training steps taken.

    Raises:
        ValueError: for a number outside its range, no students, students that share a weight, or
            an unknown loss.
        TypeError: for a student of other actions than the source's teacher, where its kind is
            known; for a loss with weights to be trained that are no student's; and, at the first
            step, for a loss of other actions than the student's.

    Warns:
        UserWarning: for a student that is larger than its teacher.
    """

    def __init__(
        self,
        students: Student | Mapping[str, Student],
        source: BatchSource,
        *,
        total_steps: int,
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
        self.source = source
        self.total_steps = checked_integer("total_steps", total_steps, 1)
        _check_distributions(self.students, source)
        _check_shared(self.students)
        self.loss = make_loss(loss)
        self.value_coef = checked_number("value_coef", value_coef, 0)
        self.learning_rates = {
            name: checked_number("learning_rate", _of(learning_rate, name), 0, above=True)
            for name in self.students
        }
        self.clip = checked_number("clip", clip, 0, above=True)
        self.progress_from = checked_number("progress_from", progress_from, 0, 1)
        self.device = torch.device(device or _best_device(self.students))
        sequence = np.random.SeedSequence(seed)
        self.rng = np.random.default_rng(sequence.spawn(1)[0])
        self.own_rngs = {
            name: np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1, number)))
            for number, name in enumerate(self.students)
        }
        self.optimizers = {
            name: torch.optim.Adam(student.to(self.device).parameters(), self.learning_rates[name])
            for name, student in self.students.items()
        }
        self.step = 0
        self._hidden = HiddenState(self.students, {"loss": self.loss, "source": source})
        self._running: list[Any] = []  # callbacks of a call of `distil`
        _warn_of_large(self.students, getattr(source, "teacher", None))

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
        """Training progress in [0, 1], from `progress_from`."""
        return self.progress_from + (1 - self.progress_from) * self.step / self.total_steps

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
            batch = self.source.batch(self.rng, self.progress)
            observations, targets = self._as_tensors(batch)
            losses = {
                name: self._train_student(name, observations, targets) for name in self.students
            }
            self.step += 1
            yield TrainingStep(self.step, self.total_steps, losses, self)

    def _train_student(self, name: str, observations: torch.Tensor, targets: Targets) -> float:
        """Take one step of one student."""
        student, optimizer = self.students[name], self.optimizers[name]
        for group in optimizer.param_groups:
            group["lr"] = self.learning_rates[name] * max(1e-3, 1 - self.step / self.total_steps)
        targets = targets._replace(distribution=distribution_of(student))
        with self._torch_rng(name):
            outputs = student.training_outputs(observations, self.progress, self.own_rngs[name])
            loss = torch.stack([self._loss_of(name, each, targets) for each in outputs]).mean()
        number = float(loss.detach())
        if not math.isfinite(number):  # before the weights are lost
            raise ValueError(
                f"the loss of student {name!r} in step {self.step + 1} is {number}; expected a "
                "finite one: finite observations and weights, and a smaller learning rate"
            )
        optimizer.zero_grad()
        (loss + student.penalty(self.progress)).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(student.parameters(), self.clip)
        optimizer.step()
        return number

    @contextmanager
    def _torch_rng(self, name: str) -> Iterator[None]:
        """Seed torch's global generator from the student's own for modules that draw from it."""
        if not any(_draws(module) for module in self.students[name].modules()):
            yield
            return
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(int(self.own_rngs[name].integers(2**63)))
            yield

    def _loss_of(self, name: str, outputs: TrainingOutput, targets: Targets) -> torch.Tensor:
        """Return the loss of a student's outputs."""
        logits, weights, values = outputs
        if logits.shape != targets.logits.shape:
            raise ValueError(
                f"student {name!r} gives logits of shape {tuple(logits.shape)} and the teacher "
                f"of {tuple(targets.logits.shape)}; expected the same queries and actions"
            )
        if weights is not None:
            targets = targets._replace(weights=targets.weights * weights)
        loss = self.loss(logits, targets)
        if values is None or self.value_coef == 0:
            return loss
        return loss + self.value_coef * value_mse(values, targets)

    def _as_tensors(self, batch: Batch) -> tuple[torch.Tensor, Targets]:
        batch = Batch(*(None if column is None else np.asarray(column) for column in batch))  # type: ignore[arg-type]  # checked below
        check_batch(batch, type(self.source).__name__)
        columns = [
            None if column is None else torch.from_numpy(column).to(self.device) for column in batch
        ]
        observations, logits, weights, values = columns
        assert observations is not None
        assert logits is not None
        assert weights is not None
        return observations, Targets(logits, weights, values)

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
        arrays, document = pack_state(self._state(callbacks))
        write_checkpoint(path, arrays, {"kind": "distiller", "state": document})

    def resume(self, path: str | os.PathLike[str], callbacks: Sequence[Any] = ()) -> Distiller:
        """Restore a checkpoint of a distiller with the same arguments, also of version 0.1.

        Args:
            path: the file.
            callbacks: those whose states it holds, in the order of `save`.

        Raises:
            dynamaze.common.storage.CheckpointError: (a ValueError) for a file that is cut short,
                damaged, or of other students; then nothing is changed.
        """
        arrays, document = read_checkpoint(path)
        if document.get("kind") != "distiller":
            raise CheckpointError(f"{path} holds {document.get('kind')!r}; expected a distiller")
        try:
            state = unpack_state(arrays, document["state"])
            parts = state["students"]
            found = {name: current_config(part["config"]) for name, part in parts.items()}
            expected = {name: _kind(student) for name, student in self.students.items()}
            if found != expected or state["total_steps"] != self.total_steps:
                raise CheckpointError(
                    f"{path} is of students {found} and {state['total_steps']} steps; expected "
                    f"{expected} and {self.total_steps}"
                )
            checked_integer("step", state["step"], 0, self.total_steps)
            for name, part in parts.items():
                check_weights(self.students[name], part)
            given = (self.source, *callbacks)
            self._check_others(state["others"], state.get("names"), given, path)
            self._hidden.check(state.get("hidden", {}), _numbered(callbacks), path)
            before = copy.deepcopy(self._state(callbacks))
            try:
                self._restore(state, callbacks)
            except BaseException:
                self._restore(before, callbacks)
                raise
        except CheckpointError:
            raise
        except Exception as error:  # a forged state raises many types of errors
            raise CheckpointError(f"{path} holds no state of this distiller: {error!r}") from None
        return self

    @staticmethod
    def _check_others(
        others: Sequence[Any], names: Sequence[str] | None, given: Sequence[Any], path: Any
    ) -> None:
        """Check that the stored states are those of a source and callbacks like the given ones."""
        if len(others) != len(given):
            raise CheckpointError(
                f"{path} holds the states of {len(others) - 1} callbacks; expected "
                f"{len(given) - 1}, those of `callbacks`"
            )
        for each, stored in zip(given, others, strict=True):
            if (stored is None) == hasattr(each, "set_state"):
                raise CheckpointError(
                    f"{path} holds {'no' if stored is None else 'a'} state in the place of "
                    f"{type(each).__name__}; expected the same source and callbacks"
                )
        if names not in (None, found := _class_names(given)):
            raise CheckpointError(
                f"{path} holds the states of {names}, the source and the callbacks; expected "
                f"{found}, in this order"
            )

    def _restore(self, state: dict[str, Any], callbacks: Sequence[Any]) -> None:
        """Set everything to a state of `_state`; those of version 0.1 have nothing hidden."""
        for name, part in state["students"].items():
            restore_tensors(self.students[name], self.optimizers[name], part)
            self.own_rngs[name].bit_generator.state = part["rng"]
        self.rng.bit_generator.state = state["rng"]
        self.step = state["step"]
        self._hidden.set_state(state.get("hidden", {}), _numbered(callbacks))
        for each, stored in zip((self.source, *callbacks), state["others"], strict=True):
            if stored is not None:
                each.set_state(stored)

    def _state(self, callbacks: Sequence[Any]) -> dict[str, Any]:
        given = (self.source, *callbacks)
        return {
            "step": self.step,
            "total_steps": self.total_steps,
            "rng": self.rng.bit_generator.state,
            "students": {
                name: {
                    "config": _kind(student),
                    "weights": student.state_dict(),
                    "optimizer": self.optimizers[name].state_dict()["state"],
                    "rng": self.own_rngs[name].bit_generator.state,
                }
                for name, student in self.students.items()
            },
            "others": [each.get_state() if hasattr(each, "get_state") else None for each in given],
            "names": _class_names(given),
            "hidden": self._hidden.get_state(_numbered(callbacks)),
        }


def _class_names(parts: Sequence[Any]) -> list[str]:
    return [type(part).__qualname__ for part in parts]


def _numbered(callbacks: Sequence[Any]) -> dict[str, Any]:
    return {f"callbacks[{number}]": each for number, each in enumerate(callbacks)}


def _draws(module: torch.nn.Module) -> bool:
    """Return True for a module that draws from torch's global generator in training."""
    if isinstance(module, (torch.nn.RReLU, torch.nn.FractionalMaxPool2d)):
        return module.training
    is_dropout = isinstance(module, torch.nn.modules.dropout._DropoutNd)
    drops = is_dropout or isinstance(module, (torch.nn.RNNBase, torch.nn.MultiheadAttention))
    rate = getattr(module, "p", None) if is_dropout else getattr(module, "dropout", 0)
    return bool(drops and module.training and rate)


def _check_shared(students: Mapping[str, Student]) -> None:
    """Refuse students that share a weight, which the optimizer of each would change."""
    owners: dict[int, str] = {}
    for name, student in students.items():
        for weight_name, weight in (*student.named_parameters(), *student.named_buffers()):
            owner = owners.setdefault(id(weight), name)
            if owner != name:
                raise ValueError(
                    f"students {owner!r} and {name!r} share {weight_name}; expected networks of "
                    "their own"
                )


def _of(learning_rate: float | Mapping[str, float], name: str) -> float:
    return learning_rate[name] if isinstance(learning_rate, Mapping) else learning_rate


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


def _kind(student: Student) -> dict[str, Any]:
    """Return the properties that a student must share with one in a checkpoint."""
    shapes = {name: list(weight.shape) for name, weight in student.named_parameters()}
    kind = {name: student.config.get(name) for name in ("kind", "bits", "granularity")}
    return {**kind, "shapes": shapes}


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


_ARRAY, _PAIRS = "__array__", "__pairs__"


def pack_state(state: Any) -> tuple[dict[str, npt.NDArray[Any]], Any]:
    """Split a nested state into arrays and a JSON document that refers to them.

    Args:
        state: dictionaries, lists, numbers, text, None, NumPy arrays and tensors.
    """
    arrays: dict[str, npt.NDArray[Any]] = {}

    def walk(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            value = value.detach().cpu().numpy()
        if isinstance(value, (np.ndarray, np.generic)):
            name = f"a{len(arrays)}"
            arrays[name] = np.array(value)
            return {_ARRAY: name}
        if isinstance(value, dict):
            return {_PAIRS: [[key, walk(inner)] for key, inner in value.items()]}
        if isinstance(value, (list, tuple)):
            return [walk(inner) for inner in value]
        return value

    document = walk(state)
    return arrays, document


def unpack_state(arrays: dict[str, npt.NDArray[Any]], document: Any) -> Any:
    """Restore the state of `pack_state`; tensors are returned as arrays, tuples as lists."""
    if isinstance(document, dict):
        if _ARRAY in document:
            return arrays[document[_ARRAY]]
        return {key: unpack_state(arrays, inner) for key, inner in document[_PAIRS]}
    if isinstance(document, list):
        return [unpack_state(arrays, inner) for inner in document]
    return document


def restore_tensors(student: Student, optimizer: torch.optim.Optimizer, part: Any) -> None:
    """Restore a student's weights and its optimizer's state.

    Raises:
        dynamaze.common.storage.CheckpointError: (a ValueError) if the weights are not the
            student's.
    """
    weights = {name: _tensor(array) for name, array in part["weights"].items()}
    try:
        student.load_state_dict(weights)
    except RuntimeError as error:
        first = str(error).splitlines()[-1].strip()
        raise CheckpointError(f"weights that do not fit the student: {first}") from None
    memory = {
        number: {name: _tensor(array) for name, array in entry.items()}
        for number, entry in part["optimizer"].items()
    }
    optimizer.load_state_dict(
        {"state": memory, "param_groups": optimizer.state_dict()["param_groups"]}
    )


def check_weights(student: Student, part: Any) -> None:
    """Check a student's weights and its optimizer's state from a file.

    Raises:
        ValueError: for a number that is not finite, or moments of another shape.
    """
    for name, array in part["weights"].items():
        if not np.isfinite(array).all():
            raise ValueError(f"weights {name} that are not finite")
    shapes = [tuple(weight.shape) for weight in student.parameters()]
    for number, entry in part["optimizer"].items():
        for name, array in entry.items():
            if not np.isfinite(array).all():
                raise ValueError(f"an optimizer's {name} that is not finite")
            if np.shape(array) not in ((), shapes[number]):
                raise ValueError(
                    f"an optimizer's {name} of shape {np.shape(array)}; expected {shapes[number]}"
                )


def _tensor(array: Any) -> torch.Tensor:
    return torch.as_tensor(array).clone()
