"""Continuous actions: bounds, losses against torch's, students and refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dynamaze.distill.core import losses
from dynamaze.distill.core.dataset import Dataset, join, make_batch
from dynamaze.distill.core.distributions import Bounds, distribution_of, split
from dynamaze.distill.data.source import FunctionSource
from dynamaze.distill.export.c_source.writer import export_c
from dynamaze.distill.files.students import load_student, save_student
from dynamaze.distill.students.base import as_student
from dynamaze.distill.students.composite import GaussianStudent
from dynamaze.distill.students.gru import GRU
from dynamaze.distill.students.mlp import MLP, Linear
from dynamaze.distill.students.quantise import quantised
from dynamaze.distill.students.table import TableStudent
from dynamaze.distill.teachers import MultiTeacher, as_teacher, teacher_labels
from dynamaze.distill.training.distiller import Distiller, TrainingStep

from ..small_envs import Gaussian

LOW, HIGH = [-1.0, -2.0], [1.0, 4.0]
SEEN = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)


class Short:
    """Teacher that returns three rows for any observations."""

    def action_gaussian(self, observations: Any) -> Any:
        return Lines().action_gaussian(SEEN[:3])


class Lines:
    """Teacher whose means and log standard deviations are linear in the observation."""

    weight = np.array([[1.0, -2.0, 0.5], [0.0, 1.0, -1.0], [0.3, 0.0, -0.2], [0.0, 0.2, 0.1]])
    bias = np.array([0.5, -1.0, -0.4, 0.2])

    def action_gaussian(self, observations: Any) -> Any:
        return split(np.asarray(observations) @ self.weight.T + self.bias)


def student(inner: Any = None, **more: Any) -> GaussianStudent:
    return GaussianStudent(MLP((3,), 4, 5, seed=1) if inner is None else inner, LOW, HIGH, **more)


def queried(teacher: Any = None) -> FunctionSource:
    return FunctionSource(teacher or Lines(), lambda rng, _: rng.normal(size=(64, 3)).astype("f4"))


# -- from samples to actions -------------------------------------------------------------------


def test_bounds_clip_or_squash_samples() -> None:
    samples = np.array([[0.5, -7.0], [-3.0, 1.0]])
    clipped = Bounds(LOW, HIGH).action(samples)  # type: ignore[arg-type]
    np.testing.assert_array_equal(clipped, np.float32([[0.5, -2], [-1, 1]]))
    squashed = Bounds(LOW, HIGH, squashed=True).action(samples)  # type: ignore[arg-type]
    np.testing.assert_allclose(
        squashed, [[np.tanh(0.5), 1 + 3 * np.tanh(-7)], [np.tanh(-3), 1 + 3 * np.tanh(1)]], 1e-6
    )
    assert squashed.dtype == np.float32
    open_ = Bounds([None, -np.inf], [1.0, None])  # type: ignore[arg-type]
    np.testing.assert_array_equal(open_.action(np.array([[-9e9, 9e9]])), np.float32([[-9e9, 9e9]]))
    square = Bounds(-np.ones((2, 1)), np.ones((2, 1)))
    assert (square.dimensions, square.action(np.zeros((5, 2))).shape) == (2, (5, 2, 1))


def test_bounds_refuse_empty() -> None:
    for low, high in (([0.0], [1.0, 2.0]), ([1.0], [1.0]), ([2.0], [1.0])):
        with pytest.raises(ValueError, match=r"^bounds from .*; expected equal shapes"):
            Bounds(low, high)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^squashed actions from \[-inf\].*finite"):
        Bounds([None], [1.0], squashed=True)  # type: ignore[arg-type]


# -- labels and students -----------------------------------------------------------------------


def test_teacher_labels_are_means_then_log_deviations() -> None:
    mean, log_std = Lines().action_gaussian(SEEN)
    labels = teacher_labels(Lines(), SEEN, 4)
    np.testing.assert_array_equal(labels, np.hstack([mean, log_std]).astype(np.float32))
    assert labels.dtype == np.float32
    with pytest.raises(
        ValueError, match=r"log deviations of Lines have shape \(7, 4\).*\(queries, 6\)"
    ):
        teacher_labels(Lines(), SEEN, 6)
    with pytest.raises(ValueError, match="log deviation of Gaussian in row 0 for dimension 1"):
        teacher_labels(Gaussian([0, 0], [0, -np.inf]), SEEN)
    with pytest.raises(ValueError, match="the mean of Gaussian in row 0 for dimension 0 is nan"):
        teacher_labels(Gaussian([np.nan, 0]), SEEN)
    with pytest.raises(ValueError, match=r"means of shape \(7, 1\) and log .* \(7, 2\)"):
        teacher_labels(Gaussian([0]), SEEN)
    with pytest.raises(ValueError, match="3 labels for 7 observations"):
        teacher_labels(Short(), SEEN)


def test_gaussian_student_is_policy_and_teacher() -> None:
    for squashed, kind in ((False, "gaussian"), (True, "squashed_gaussian")):
        one = student(squashed=squashed)
        assert distribution_of(one) == kind
        assert as_teacher(one) is one
        mean, log_std = one.action_gaussian(SEEN)
        rows = one(torch.tensor(SEEN)).detach().numpy()
        np.testing.assert_allclose(np.hstack([mean, log_std]), rows, rtol=1e-6)
        np.testing.assert_allclose(one.act(SEEN[2]), one.bounds.action(mean)[2], atol=1e-6)
        assert one.num_parameters == MLP((3,), 4, 5).num_parameters
        assert one.multiply_adds((3,)) == 3 * 5 + 5 * 4
    for ask in (one.action_logits, one.action_probabilities):
        with pytest.raises(TypeError, match="has no logits; use its action_gaussian"):
            ask(SEEN)
    with pytest.raises(TypeError, match="temperature for continuous"):
        as_teacher(one, temperature=2.0)
    with pytest.raises(TypeError, match="teacher 1 has continuous actions"):
        MultiTeacher([lambda seen: seen, one], lambda seen: np.zeros(len(seen), int))


def test_log_deviations_clipped_as_in_sac() -> None:
    inner = Linear((3,), 4)
    with torch.no_grad():
        inner.layers[0].weight.zero_()
        inner.layers[0].bias.copy_(torch.tensor([50.0, -50.0, 50.0, -50.0]))
    one = student(inner)
    for rows in (np.hstack(one.action_gaussian(SEEN)), one(torch.tensor(SEEN)).detach()):
        np.testing.assert_array_equal(np.unique(rows, axis=0), [[50, -50, 2, -20]])


def test_gaussian_student_keeps_recurrent_state() -> None:
    one = student(GRU((3,), 4, 6))
    sequence = np.random.default_rng(1).normal(size=(2, 5, 3)).astype(np.float32)
    whole = one(torch.tensor(sequence)).detach().numpy().reshape(2, 5, 4)
    assert one.memory is None
    steps = [np.hstack(one.action_gaussian(sequence[:, time])) for time in range(5)]
    np.testing.assert_allclose(np.stack(steps, axis=1), whole, atol=1e-6)
    one.reset(np.array([True, False]))
    again = np.hstack(one.action_gaussian(sequence[:, 0]))
    np.testing.assert_allclose(again[0], steps[0][0], atol=1e-6)
    assert not np.allclose(again[1], steps[0][1], atol=1e-3)
    assert not hasattr(student(), "memory")


# -- training ----------------------------------------------------------------------------------


def test_gaussian_training_loss_matches_torch() -> None:
    rng = np.random.default_rng(2)
    rows, weights = rng.normal(size=(9, 4)), rng.random(9)

    class Same:
        levels = ()

        def batch(self, rng: Any, progress: float) -> Any:
            return make_batch(np.tile(SEEN[:1], (9, 1)) * weights[:, None], rows, weights)

    one = student()
    mean, log_std = split(one(torch.tensor(Same().batch(None, 0.0).observations)).detach())
    teacher_mean, teacher_log_std = split(torch.tensor(rows))
    each = torch.distributions.kl_divergence(
        torch.distributions.Normal(teacher_mean, teacher_log_std.exp()),
        torch.distributions.Normal(mean.double(), log_std.double().exp()),
    ).sum(dim=1)
    recorded: list[TrainingStep] = []
    Distiller(one, Same(), total_steps=1, loss="gaussian_kl").distil(callback=recorded.append)
    expected = float((each * torch.tensor(weights)).sum() / weights.sum())
    assert recorded[0].losses["student"] == pytest.approx(expected, rel=1e-5)


def test_gaussian_student_recovers_linear_teacher() -> None:
    one = student(Linear((3,), 4))
    Distiller(one, queried(), total_steps=1500, loss="gaussian_kl", learning_rate=0.02).distil()
    (layer,) = one.inner.layers
    np.testing.assert_allclose(layer.weight.detach(), Lines.weight, atol=1e-4)
    np.testing.assert_allclose(layer.bias.detach(), Lines.bias, atol=1e-4)


def test_gaussian_optimum_matches_closed_form() -> None:
    """Without inputs the optimum is the mean of means, and the variance within plus between."""
    rng = np.random.default_rng(3)
    mean, log_std = rng.normal(size=(2, 50, 2))
    rows = make_batch(np.zeros((50, 1), np.float32), np.hstack([mean, log_std]))
    data = type("Whole", (Dataset,), {"batch": lambda self, *_: self.rows})(
        rows, distribution="gaussian"
    )
    one = GaussianStudent(Linear((1,), 4), LOW, HIGH)
    Distiller(one, data, total_steps=1500, loss="gaussian_kl", learning_rate=0.02).distil()
    variance = np.exp(2 * log_std).mean(axis=0) + mean.var(axis=0)
    found_mean, found_log_std = one.action_gaussian(np.zeros((1, 1), np.float32))
    np.testing.assert_allclose(found_mean[0], mean.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(found_log_std[0], np.log(variance) / 2, atol=1e-4)


def test_gaussian_resume_bit_identical(tmp_path: Path) -> None:
    def made(seed: int = 1) -> Distiller:
        students = {"a": student(MLP((3,), 4, 5, seed=seed)), "b": student(Linear((3,), 4))}
        return Distiller(students, queried(), total_steps=20, loss="gaussian_kl")

    whole = made().distil()
    made().distil(9).save(tmp_path / "c.npz")
    resumed = made(seed=5).resume(tmp_path / "c.npz").distil()
    for name, one in whole.students.items():
        for key, weight in one.state_dict().items():
            assert torch.equal(weight, resumed.students[name].state_dict()[key])


def test_gaussian_refuses_other_actions_and_losses() -> None:
    discrete = MLP((3,), 4, 5)
    with pytest.raises(TypeError, match=r"'student' has categorical actions and .* gaussian ones"):
        Distiller(discrete, queried(), total_steps=1, loss="gaussian_kl")
    with pytest.raises(TypeError, match="has gaussian actions and the source's teacher categ"):
        Distiller(student(), queried(lambda seen: seen @ np.ones((3, 4))), total_steps=1)
    with pytest.raises(TypeError, match=r"has squashed_gaussian actions and .* gaussian ones"):
        Distiller(student(squashed=True), queried(), total_steps=1)
    for name in ("kl", "nll", "mse", "reverse_kl"):
        with pytest.raises(TypeError, match=r'expected loss="gaussian_kl"'):
            Distiller(student(), queried(), total_steps=1, loss=name).distil()
    weighted = losses.weighted("gaussian_kl", losses.margin)
    with pytest.raises(TypeError, match=r'expected loss="gaussian_kl"'):
        Distiller(student(), queried(), total_steps=1, loss=weighted).distil()
    source = queried(lambda seen: seen @ np.ones((3, 4)))
    with pytest.raises(TypeError, match="gaussian_kl of Discrete actions"):
        Distiller(discrete, source, total_steps=1, loss="gaussian_kl").distil()
    # A source that does not declare its distribution accepts any student.
    unknown = type("Own", (), {"batch": lambda self, *given: queried().batch(*given)})()
    Distiller(student(), unknown, total_steps=1, loss="gaussian_kl").distil()


def test_dataset_keeps_distribution(tmp_path: Path) -> None:
    rows = make_batch(SEEN, teacher_labels(Lines(), SEEN))
    data = Dataset(rows, distribution="gaussian")
    data.save(tmp_path / "d.npz")
    assert Dataset.load(tmp_path / "d.npz").distribution == "gaussian"
    assert data.take(np.array([0, 1])).distribution == join([data, data]).distribution == "gaussian"
    with pytest.raises(ValueError, match=r"distribution='gausian'; .*did you mean 'gaussian'\?"):
        Dataset(rows, distribution="gausian")
    with pytest.raises(ValueError, match=r"datasets of \['categorical', 'gaussian'\] actions"):
        join([data, Dataset(rows)])
    with pytest.raises(ValueError, match="a dataset of gaussian actions; expected Discrete"):
        TableStudent((3,), 4).fit(data)
    with pytest.raises(TypeError, match="has categorical actions"):
        Distiller(MLP((3,), 4), data, total_steps=1)


# -- files -------------------------------------------------------------------------------------


def test_nested_students_file_round_trip(tmp_path: Path) -> None:
    for one in (student(GRU((3,), 4, 5), squashed=True), quantised(student(), 4)):
        save_student(tmp_path / "s", one)
        loaded = load_student(tmp_path / "s")
        assert loaded.config == one.config
        assert loaded.bounds.is_like(one.bounds)
        assert distribution_of(loaded) == distribution_of(one)
        for found, expected in zip(
            loaded.action_gaussian(SEEN), one.action_gaussian(SEEN), strict=True
        ):
            np.testing.assert_array_equal(found, expected)


def test_gaussian_refuses_bad_parts(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="inner has 3 outputs; expected 4"):
        student(MLP((3,), 3))
    with pytest.raises(ValueError, match=r"inner gave shape \(7, 3\); expected \(queries, 4\)"):
        student(as_student(torch.nn.Linear(3, 3)))(torch.tensor(SEEN))
    with pytest.raises(
        TypeError, match=r"inner of type TableStudent; expected a student \(a network\)"
    ):
        student(TableStudent((3,), 4))
    with pytest.raises(ValueError, match=r"inner is quantised already; .*quantised\(whole\)"):
        student(quantised(MLP((3,), 4)))
    own = student(as_student(torch.nn.Linear(3, 4)))
    own.action_gaussian(SEEN)
    with pytest.raises(TypeError, match="loaded from a file"):
        save_student(tmp_path / "own", own)
    for kind, other in (("torch_module", own), ("gaussian", student(student()))):
        with pytest.raises(TypeError, match=f"kind 'gaussian' with one of kind '{kind}'"):
            export_c(tmp_path / "s.h", other, SEEN[0])
    assert not list(tmp_path.iterdir())


def test_export_onnx_refuses_other_gaussian_policies(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="the extra onnx is not installed")
    from dynamaze.distill.export.onnx_graph.writer import export_onnx

    for other in (Lines(), student(student())):
        with pytest.raises(
            TypeError, match="; expected a GaussianStudent with a network of outputs"
        ):
            export_onnx(tmp_path / "s.onnx", other, SEEN[0])
    assert not list(tmp_path.iterdir())
