"""State inside losses, sources, callbacks and students: kept by checkpoints, or refused."""

from __future__ import annotations

import random  # noqa: TID251  # found, not drawn from by us
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from dynamaze.common.storage import CheckpointError
from dynamaze.distill import Checkpoints, Distiller, EarlyStopping, FunctionSource, Rollouts
from dynamaze.distill.core.dataset import make_batch
from dynamaze.distill.core.losses import kl
from dynamaze.distill.students.base import Student, as_student
from dynamaze.distill.students.mlp import MLP

from ..small_envs import Fixed, clocks

GLOBAL = np.random.default_rng(3)


def label(observations: Any) -> np.ndarray:
    return 3.0 * np.asarray(observations)


def sample(rng: np.random.Generator, progress: float) -> np.ndarray:
    return rng.normal(size=(8, 2)).astype("f4")


def make(loss: Any = "kl", source: Any = None, student: Any = None) -> Distiller:
    student = MLP((2,), 2, 3) if student is None else student
    source = FunctionSource(label, sample) if source is None else source
    return Distiller(student, source, total_steps=6, loss=loss, learning_rate=0.1)


def weights(distiller: Distiller) -> list[np.ndarray]:
    return [weight.detach().numpy().copy() for weight in distiller.student.parameters()]


def check_resume(make_one: Callable[[], Distiller], path: Path, callbacks: Any = lambda: ()) -> Any:
    """Check that a run that is resumed after two of six steps has the weights of a whole one."""
    expected = weights(make_one().distil())
    first = callbacks()
    make_one().distil(2, [*first, Checkpoints(path, every=2, callbacks=first)])
    second = callbacks()
    resumed = make_one().resume(path, second).distil(callback=second)
    for one, other in zip(expected, weights(resumed), strict=True):
        np.testing.assert_array_equal(one, other)
    return resumed


class Noisy:
    """Augmentation with generators of its own, of each library."""

    def __init__(self) -> None:
        self.rngs = {"numpy": np.random.default_rng(1), "old": np.random.RandomState(2)}
        self.python, self.torch = random.Random(3), torch.Generator().manual_seed(4)
        self.sfc = [np.random.Generator(np.random.SFC64(5))]

    def __call__(self, rng: np.random.Generator, progress: float) -> np.ndarray:
        noise = self.rngs["numpy"].normal() + self.rngs["old"].normal() + self.python.random()
        noise += float(torch.rand((), generator=self.torch)) + self.sfc[0].normal()
        return sample(rng, progress) + np.float32(noise)


class Counting:
    """User's source that counts its batches, without `get_state`."""

    levels = ()

    def __init__(self) -> None:
        self.position, self.order = 0, [3, 1, 2]
        self.mean = np.zeros(2)

    def batch(self, rng: np.random.Generator, progress: float) -> Any:
        self.position += 1
        self.order = self.order[1:] + self.order[:1]
        seen = sample(rng, progress) * self.position + self.order[0]
        self.mean += seen.mean(axis=0)
        return make_batch((seen - self.mean).astype("f4"), label(seen))


def closure() -> Any:
    rng, count = np.random.default_rng(7), 0

    def drawn(own: np.random.Generator, progress: float) -> np.ndarray:
        nonlocal count
        count += 1
        return sample(own, progress) * count + np.float32(rng.normal())

    return drawn


def from_global(rng: np.random.Generator, progress: float) -> np.ndarray:
    return sample(rng, progress) + np.float32(GLOBAL.normal())


def reset_global() -> Distiller:
    GLOBAL.bit_generator.state = np.random.default_rng(3).bit_generator.state
    return make(source=FunctionSource(label, from_global))


def noisy_teacher() -> Any:
    rng = np.random.default_rng(8)
    return lambda seen: label(seen) + rng.normal()


SOURCES: dict[str, Callable[[], Distiller]] = {
    "generators": lambda: make(source=FunctionSource(label, Noisy())),
    "counter": lambda: make(source=Counting()),
    "closure": lambda: make(source=FunctionSource(label, closure())),
    "partial": lambda: make(source=FunctionSource(label, partial(closure()))),
    "method": lambda: make(source=FunctionSource(label, Noisy().__call__)),
    "global": reset_global,
    "teacher": lambda: make(source=FunctionSource(noisy_teacher(), sample)),
}


@pytest.mark.parametrize("name", SOURCES)
def test_state_of_source_is_kept(name: str, tmp_path: Path) -> None:
    check_resume(SOURCES[name], tmp_path / "c.npz")


def test_observation_fn_of_rollouts_is_kept(tmp_path: Path) -> None:
    def distiller() -> Distiller:
        rng, calls = np.random.default_rng(6), 0

        def noise(seen: Any) -> Any:
            nonlocal calls
            calls += 1
            return seen * calls + rng.normal(size=seen.shape).astype("f4")

        def beta(progress: float) -> float:
            nonlocal calls
            calls += 1
            return 1 / calls

        student = MLP((2,), 2, 3)
        source = Rollouts(
            Fixed(0.2, 0.8),
            clocks("SameStep"),
            student=student,
            beta=beta,
            observation_fn=noise,
            batch_size=4,
        )
        return make(source=source, student=student)

    check_resume_after_pause(distiller, tmp_path / "c.npz")


def check_resume_after_pause(make_one: Callable[[], Distiller], path: Path) -> None:
    """Compare with a run that was saved too, since saving restarts the environments."""
    whole = make_one().distil(2)
    whole.save(path)
    expected = weights(whole.distil())
    for one, other in zip(expected, weights(make_one().resume(path).distil()), strict=True):
        np.testing.assert_array_equal(one, other)


class Projected(nn.Module):
    """Loss with a fixed network, a buffer that changes and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.projection = nn.Linear(2, 2).requires_grad_(False)
        self.norm = nn.BatchNorm1d(2, affine=False)

    def forward(self, logits: Any, targets: Any) -> Any:
        change = self.norm(self.projection(targets.logits)).detach()
        return kl()(logits, targets._replace(logits=targets.logits + change))


class Smoothed:
    """Loss object with a moving average that it replaces."""

    def __init__(self) -> None:
        self.mean, self.calls, self.last = torch.zeros(2), 0, None

    def __call__(self, logits: Any, targets: Any) -> Any:
        self.mean = 0.9 * self.mean + 0.1 * targets.logits.mean(dim=0)
        self.calls, self.last = self.calls + 1, (self.calls, 0.5)
        return kl()(logits + self.mean / self.calls, targets)


def projected() -> Any:
    torch.manual_seed(1)
    inner = Projected()
    return lambda logits, targets: inner(logits, targets)


def regularised() -> Distiller:
    student = MLP((2,), 2, 3)

    def loss(logits: Any, targets: Any) -> Any:
        return kl()(logits, targets) + sum(w.square().sum() for w in student.parameters())

    return make(loss, student=student)


LOSSES: dict[str, Callable[[], Distiller]] = {
    "module": lambda: make(projected().__closure__[0].cell_contents),
    "closure over module": lambda: make(projected()),
    "object": lambda: make(Smoothed()),
    "partial of object": lambda: make(partial(Smoothed())),
    "closure over the student": regularised,
}


@pytest.mark.parametrize("name", LOSSES)
def test_state_of_loss_is_kept(name: str, tmp_path: Path) -> None:
    check_resume(LOSSES[name], tmp_path / "c.npz")


def test_module_of_loss_is_restored_not_trained(tmp_path: Path) -> None:
    first = make(Projected())
    before = first.loss.projection.weight.clone()
    first.distil(3).save(tmp_path / "c.npz")
    assert torch.equal(first.loss.projection.weight, before)
    assert first.loss.norm.num_batches_tracked == 3
    torch.manual_seed(99)
    second = make(Projected())
    assert not torch.equal(second.loss.projection.weight, before)
    second.resume(tmp_path / "c.npz")
    assert torch.equal(second.loss.projection.weight, before)
    assert second.loss.norm.num_batches_tracked == 3
    other = make(nn.Sequential(nn.Linear(2, 3)).requires_grad_(False))
    with pytest.raises(CheckpointError, match="a state of loss that does not fit"):
        other.resume(tmp_path / "c.npz")
    with pytest.raises(CheckpointError, match="a state of loss that does not fit the function"):
        make().resume(tmp_path / "c.npz")
    make(source=FunctionSource(label, closure())).distil(1).save(tmp_path / "d.npz")
    with pytest.raises(
        CheckpointError, match=r"sample_observations\.count, which does not exist here"
    ):
        other.resume(tmp_path / "d.npz")
    assert other.step == 0


def trainable(kind: str) -> Any:
    layer, number = nn.Linear(2, 2), torch.zeros((), requires_grad=True)
    parameter = nn.Parameter(torch.zeros(2))
    return {
        "module": nn.Sequential(layer),
        "closure": lambda logits, targets: kl()(layer(logits), targets),
        "tensor": lambda logits, targets: kl()(logits * number, targets),
        "default": lambda logits, targets, p=parameter: kl()(logits + p, targets),
        "partial": partial(lambda layer, logits, targets: layer(logits).sum(), layer),
        "list": type("Loss", (), {"__init__": lambda s: setattr(s, "parts", [{"a": layer}])})(),
    }[kind]


@pytest.mark.parametrize("kind", ["module", "closure", "tensor", "default", "partial", "list"])
def test_weights_of_loss_that_nothing_trains_are_refused(kind: str) -> None:
    with pytest.raises(TypeError, match=r"loss\S* of type \w+ has \d+ numbers that require grad"):
        make(trainable(kind))


def test_iterator_is_refused_by_save(tmp_path: Path) -> None:
    batches = iter([sample(np.random.default_rng(0), 0.0)] * 9)
    distiller = make(source=FunctionSource(label, lambda rng, progress: next(batches)))
    distiller.distil(2)
    with pytest.raises(TypeError, match=r"source\.sample_observations\.batches is a list_iterator"):
        distiller.save(tmp_path / "c.npz")
    assert not list(tmp_path.iterdir())
    assert distiller.distil().step == 6


def test_students_that_share_weights_are_refused() -> None:
    student = MLP((2,), 2, 3)
    other = MLP((2,), 2, 3)
    other.layers = student.layers
    for students in ({"a": student, "b": student}, {"a": student, "b": other}):
        with pytest.raises(ValueError, match="students 'a' and 'b' share"):
            Distiller(students, FunctionSource(label, sample), total_steps=1)


def test_dropout_resumes_and_leaves_global_generator(tmp_path: Path) -> None:
    def distiller() -> Distiller:
        torch.manual_seed(0)
        return make(
            student=as_student(nn.Sequential(nn.Linear(2, 8), nn.Dropout(), nn.Linear(8, 2)))
        )

    check_resume(distiller, tmp_path / "c.npz")
    one = distiller()
    before = torch.get_rng_state()
    one.distil()
    assert torch.equal(torch.get_rng_state(), before)


class NoisyStudent(Student):
    """Student with a generator of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.rng, self.layer = np.random.default_rng(5), MLP((2,), 2, 3)
        self.config = {"kind": "noisy"}

    def forward(self, observations: Any) -> Any:
        return self.layer(observations) + self.rng.normal()


def test_generator_of_student_is_kept(tmp_path: Path) -> None:
    check_resume(lambda: make("mse", student=NoisyStudent()), tmp_path / "c.npz")


def test_callbacks_keep_their_state(tmp_path: Path) -> None:
    def stopping() -> tuple[EarlyStopping]:
        rng = np.random.default_rng(2)
        return (EarlyStopping(lambda students: {"student": rng.random()}, every=1),)

    kept: list[Any] = []

    def callbacks() -> Any:
        kept.append(stopping())
        return kept[-1]

    whole = stopping()
    make().distil(callback=whole)
    check_resume(make, tmp_path / "c.npz", callbacks)
    assert kept[1][0].history == whole[0].history


class Steps:
    """Callback with a state, which refuses negative numbers."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self, step: Any) -> None:
        self.number += 1

    def get_state(self) -> Any:
        return {"number": self.number}

    def set_state(self, state: Any) -> None:
        if state["number"] < 0:
            raise ValueError(f"number={state['number']}")
        self.number = state["number"]


def test_callbacks_of_other_order_are_refused(tmp_path: Path) -> None:
    def callbacks() -> tuple[Any, ...]:
        return EarlyStopping(lambda students: {"student": 1.0}, every=1), Steps()

    path = tmp_path / "c.npz"
    stopping, steps = callbacks()
    make().distil(1, [stopping, steps, Checkpoints(path, every=1, callbacks=(stopping, steps))])
    other, (stopping, steps) = make(), callbacks()
    with pytest.raises(CheckpointError, match=r"'EarlyStopping', 'Steps'\].*expected.*in this ord"):
        other.resume(path, (steps, stopping))
    assert (other.step, steps.number, stopping.history) == (0, 0, [])
    other.resume(path, (stopping, steps))
    assert (other.step, steps.number, stopping.history) == (1, 1, [(1, {"student": 1.0})])


def test_failed_resume_leaves_callbacks_unchanged(tmp_path: Path) -> None:
    path, first, second = tmp_path / "c.npz", Steps(), Steps()
    made = make().distil(1, [first, second])
    second.number = -1
    made.save(path, (first, second))
    first.number, second.number = 7, 8
    with pytest.raises(CheckpointError, match="number=-1"):
        make().resume(path, (first, second))
    assert (first.number, second.number) == (7, 8)


@pytest.mark.parametrize(
    "wrong",
    [
        {"history": [[1, {"student": "x"}]]},
        {"history": 5},
        {"best": {"student": None}},
        {"best": {}},
        {"waited": -1},
    ],
)
def test_early_stopping_refuses_forged_state(wrong: dict[str, Any]) -> None:
    stopping = EarlyStopping(lambda students: {"student": 1.0}, every=1)
    make().distil(1, stopping)
    before = stopping.get_state()
    with pytest.raises((TypeError, ValueError)):
        stopping.set_state({**before, **wrong})
    assert stopping.get_state() == before


def test_callback_that_would_be_lost_is_refused(tmp_path: Path) -> None:
    stopping = EarlyStopping(lambda students: {"student": 1.0}, every=1)
    with pytest.raises(ValueError, match="EarlyStopping has a state that would be lost; expected"):
        make().distil(callback=[stopping, Checkpoints(tmp_path / "c.npz", every=1)])
    make().distil(1, [stopping, Checkpoints(tmp_path / "c.npz", every=1, callbacks=(stopping,))])
    other = make()
    with pytest.raises(CheckpointError, match="holds the states of 1 callbacks; expected 0"):
        other.resume(tmp_path / "c.npz")
    with pytest.raises(CheckpointError, match="a state in the place of function"):
        other.resume(tmp_path / "c.npz", (label,))
    assert other.step == 0
