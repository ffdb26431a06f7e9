"""Data-free distillation: made-up states, and the generator."""

from functools import partial

import numpy as np
import pytest
import torch

from dynamaze.distill.methods.checks import check_method
from dynamaze.distill.methods.data_free import DataFree, PlanesGenerator, coin_mazes
from dynamaze.distill.students.conv import Convolution
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.students.residual import Residual
from dynamaze.distill.students.value_iteration import ValueIterationNetwork
from dynamaze.distill.training.distiller import Distiller
from dynamaze.distill.training.method import make_method
from dynamaze.envs.generation.planes import ShortestPathPolicy

SMALL = {"rows": 5, "cols": 4, "batch_size": 3}


def _distiller(states, students=None, teacher=None, **config):
    teacher = Residual(4, 1, seed=3) if teacher is None else teacher
    students = students or {"conv": Convolution((3, 5, 4), 4, 3), "vin": ValueIterationNetwork()}
    method = make_method("data_free", states=states, **SMALL, **config)
    return Distiller(students, None, method, teacher=teacher, total_steps=6, learning_rate=0.01)


def _check_mazes(planes):
    walls, queried, goals = planes[:, 0], planes[:, 1], planes[:, 2]
    assert set(np.unique(planes)) <= {0, 1}
    assert (walls + queried + goals == 1).all()  # each cell is one of them
    assert (goals.sum(axis=(1, 2)) == 1).all()


def test_coin_mazes_are_mazes_with_goal():
    planes = coin_mazes(np.random.default_rng(0), 400, 6, 5)
    _check_mazes(planes)
    densities = planes[:, 0].mean(axis=(1, 2))
    # Uniform from 0 to 0.6 but for the goal's cell; 5 standard errors: 0.6 / sqrt(12 * 400) * 5.
    assert abs(densities.mean() - 0.3 * 29 / 30) < 0.044


def test_generator_makes_mazes_with_gradient():
    generator, rng = PlanesGenerator(8, 5, 4, 0.6), np.random.default_rng(0)
    shapes = (7, 8), (7, 5, 4), (7, 5, 4)
    noise = [torch.from_numpy(rng.normal(size=shape).astype("f4")) for shape in shapes]
    planes = generator(*noise)
    _check_mazes(planes.detach().numpy())
    (planes[:, 0].sum() + planes[:, 2, 0].sum()).backward()
    assert all(weight.grad.abs().sum() > 0 for weight in generator.parameters())


def test_generator_cannot_make_walls_alone():
    generator = PlanesGenerator(8, 20, 20, 0.6)
    with torch.no_grad():
        generator.body[-1].bias[0] = 100.0  # as if it had learned to make walls
        rng = np.random.default_rng(0)
        latent = torch.from_numpy(rng.normal(size=(10, 8)).astype("f4"))
        logistic = torch.from_numpy(rng.logistic(size=(10, 20, 20)).astype("f4"))
        planes = generator(latent, logistic, torch.zeros(10, 20, 20))
    # 5 standard errors of 4,000 coins, and the goals: a false alarm in 10^6 seeds.
    assert abs(float(planes[:, 0].mean()) - 0.6) < 5 * (0.24 / 4000) ** 0.5 + 1 / 400


@pytest.mark.parametrize("states", ["coins", "pixels", "generator"])
def test_promises_of_methods(states):
    method = partial(DataFree, states=states, **SMALL)
    check_method(method, setting="value_iteration")
    distiller = _distiller(states).distil()  # a convolution as well
    assert ("generator" in distiller.parts) == (states == "generator")


def test_generator_finds_disagreement():
    teacher = Residual(4, 1, seed=3)
    weights = {"disagreement": 1.0, "balance": 0.0, "sureness": 0.0}
    distiller = _distiller("generator", Convolution((3, 5, 4), 4, 3), teacher, **weights)
    (update, *_) = distiller.method.step(distiller)
    assert update.of == ("generator",)
    same = _distiller("generator", Residual(4, 1, seed=3), teacher, **weights)
    (update, *_) = same.method.step(same)
    assert update.terms["disagreement"].abs() < 1e-6  # a student that is its teacher


def test_states_of_a_function():
    method = make_method(
        "data_free", states=lambda rng, count: rng.normal(size=(count, 2)).astype("f4")
    )
    teacher = MLP((2,), 3, 20, seed=1)
    distiller = Distiller(MLP((2,), 3), None, method, teacher=teacher, total_steps=2).distil()
    assert distiller.step == 2


def test_value_iteration_needs_a_goal_only_in_its_curriculum():
    def walls(rng, count):
        return coin_mazes(rng, count, 5, 4) * np.array([1, 1, 0], "f4")[:, None, None]

    with pytest.raises(ValueError, match="without a goal"):
        _distiller(walls, ValueIterationNetwork()).distil()
    assert _distiller(walls, ValueIterationNetwork(curriculum=False)).distil().step == 6


@pytest.mark.parametrize(
    ("states", "config", "students", "teacher", "error", "message"),
    [
        ("coin", {}, None, None, ValueError, "coins"),
        ("coins", {"density": 2}, None, None, ValueError, "density"),
        ("coins", {"latent": 0}, None, None, ValueError, "latent"),
        ("generator", {"density": 1}, None, None, ValueError, "density"),
        ("generator", {"balance": -1}, None, None, ValueError, "balance"),
        ("coins", {}, MLP((3, 5, 4), 4), None, TypeError, "for each cell"),
        ("generator", {}, None, ShortestPathPolicy(), TypeError, "no network"),
    ],
)
def test_refusals(states, config, students, teacher, error, message):
    with pytest.raises(error, match=message):
        _distiller(states, students, teacher, **config)


def test_refuses_no_teacher():
    with pytest.raises(TypeError, match="without a teacher"):
        Distiller(ValueIterationNetwork(), None, "data_free", total_steps=1)
