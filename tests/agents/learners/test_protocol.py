"""Conformance of the learners that need SciPy or torch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dynamaze.agents import learners
from dynamaze.common.storage import read_checkpoint, write_checkpoint

pytest.importorskip("scipy", reason="the Gaussian process needs SciPy")
torch = pytest.importorskip("torch", reason="the networks need torch")
DeepBelief, GaussianProcess = learners.DeepBelief, learners.GaussianProcess
ProbabilisticEnsemble = learners.ProbabilisticEnsemble


FACTORIES: dict[str, Callable[..., Any]] = {
    "gaussian_process": lambda: GaussianProcess(3, 2, budget=40),
    "deep_belief": lambda: DeepBelief(
        3,
        2,
        hidden=(8, 6),
        visible="binary",
        pretraining_steps=5,
        tuning_steps=5,
        settings=learners.TrainingSettings(capacity=60),
    ),
    "deep_belief_gaussian": lambda: DeepBelief(
        3, 2, hidden=(8,), pretraining_steps=5, tuning_steps=5
    ),
    "ensemble": lambda: ProbabilisticEnsemble(
        3,
        2,
        members=3,
        hidden=(8,),
        settings=learners.TrainingSettings(batch_size=16, capacity=60),
        steps_per_row=0.5,
    ),
}


@pytest.fixture(params=sorted(FACTORIES))
def make(request: pytest.FixtureRequest) -> Callable[[], Any]:
    return FACTORIES[request.param]


def data(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (n, 3))
    return x, np.stack([x[:, 0] * 5 + 2, np.sin(3 * x[:, 1])], axis=1)


def feed(learner: Any, first: int, last: int, size: int = 5) -> None:
    x, y = data(last)
    for row in range(first, last, size):
        learner.update(x[row : row + size], y[row : row + size])


def assert_same(left: dict[str, Any], right: dict[str, Any]) -> None:
    assert left.keys() == right.keys()
    for name, value in left.items():
        np.testing.assert_array_equal(value, right[name], name)


def test_all_heavy_learners_tested() -> None:
    kinds = {type(make()).__name__ for make in FACTORIES.values()}
    assert kinds == {*learners.__all__} - {"Estimate", "Learner", "TrainingSettings"}
    with pytest.raises(AttributeError, match="GaussianProces'"):
        _ = learners.GaussianProces


def test_output_shapes_and_dtypes(make: Callable[[], Any]) -> None:
    learner = make()
    assert (learner.num_inputs, learner.num_outputs) == (3, 2)
    for n in (0, 30, 0):
        learner.update(*data(n))
        for rows in (0, 1, 7, 100):
            estimate = learner.predict(data(rows)[0])
            drawn = learner.draw(data(rows)[0], np.random.default_rng(0))
            for part in (*estimate, drawn):
                assert part.shape == (rows, 2)
                assert part.dtype == np.float64
                assert np.isfinite(part).all()
                assert part.flags.writeable
            assert (estimate.epistemic >= 0).all()
            assert (estimate.noise > 0).all()


def test_integers_and_lists_accepted(make: Callable[[], Any]) -> None:
    one, other = make(), make()
    one.update([[1, 0, 2], [0, 1, 1]], [[1, 0], [0, 1]])
    other.update(np.array([[1.0, 0, 2], [0, 1, 1]], dtype=np.float32), np.eye(2))
    assert_same(one.get_state(), other.get_state())


def test_predict_batch_equals_rows(make: Callable[[], Any]) -> None:
    learner = make()
    feed(learner, 0, 60)
    rows = data(80, seed=1)[0]
    together = learner.predict(rows)
    for row in (0, 33, 79):
        for alone, part in zip(learner.predict(rows[row : row + 1]), together, strict=True):
            np.testing.assert_allclose(alone[0], part[row], rtol=1e-4, atol=1e-6)


def test_queries_do_not_learn(make: Callable[[], Any]) -> None:
    learner = make()
    x, y = data(30)
    kept_x, kept_y = x.copy(), y.copy()
    learner.update(x, y)
    before = learner.get_state()
    learner.predict(x)
    learner.draw(x, np.random.default_rng(0))
    learner.update(x[:0], y[:0])
    assert_same(before, learner.get_state())
    assert np.array_equal(x, kept_x)
    assert np.array_equal(y, kept_y)
    for value in before.values():
        if isinstance(value, np.ndarray):
            value.fill(0)
    after = learner.get_state()
    assert any(np.any(value) for value in after.values())
    assert np.isfinite(learner.predict(x).mean).all()


def test_draws_follow_generator(make: Callable[[], Any]) -> None:
    learner = make()
    feed(learner, 0, 30)
    x = data(5)[0]
    first = learner.draw(x, np.random.default_rng(7))
    np.testing.assert_array_equal(first, learner.draw(x, np.random.default_rng(7)))
    assert not np.array_equal(first, learner.draw(x, np.random.default_rng(8)))


def test_global_generators_unused(make: Callable[[], Any]) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state().clone(), np.random.get_state()[1].copy()  # noqa: NPY002
    learner = make()
    feed(learner, 0, 40)
    learner.draw(data(4)[0], np.random.default_rng(0))
    torch.manual_seed(11)  # and none is used
    other = make()
    feed(other, 0, 40)
    assert_same(learner.get_state(), other.get_state())
    torch.manual_seed(3)
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002


def test_thread_settings_restored(make: Callable[[], Any]) -> None:
    before = torch.get_num_threads()
    feed(make(), 0, 40)
    assert torch.get_num_threads() == before


def test_interleaved_learners_bit_identical(make: Callable[[], Any]) -> None:
    alone = make()
    feed(alone, 0, 60)
    one, other = make(), make()
    for row in range(0, 60, 5):
        feed(one, row, row + 5)
        x, y = data(row + 5, seed=9)
        other.update(x[row:], y[row:])
    assert_same(alone.get_state(), one.get_state())


@pytest.mark.parametrize("cut", [5, 40, 85])
def test_saved_learner_resumes_bit_identical(
    make: Callable[[], Any], cut: int, tmp_path: Any
) -> None:
    whole = make()
    feed(whole, 0, cut)
    state = whole.get_state()
    arrays = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
    write_checkpoint(
        tmp_path / "x", arrays, {name: state[name] for name in state if name not in arrays}
    )
    arrays, document = read_checkpoint(tmp_path / "x")
    resumed = make()
    feed(resumed, 0, 25, size=3)
    resumed.set_state({**arrays, **document})
    assert_same(state, resumed.get_state())
    queries = data(20, seed=2)[0]
    for left, right in zip(whole.predict(queries), resumed.predict(queries), strict=True):
        np.testing.assert_array_equal(left, right)
    feed(whole, cut, 120)
    feed(resumed, cut, 120)
    assert_same(whole.get_state(), resumed.get_state())


@pytest.mark.parametrize("name", sorted(FACTORIES))
def test_set_state_rejects_other_kind(name: str) -> None:
    learner = FACTORIES[name]()
    feed(learner, 0, 30)
    before = learner.get_state()
    wrong: list[dict[str, Any]] = [{}]
    for key, value in before.items():
        wrong.append({each: before[each] for each in before if each != key})
        if isinstance(value, np.ndarray):
            wrong.append({**before, key: value[1:] if value.size else value[None]})
            wrong.append({**before, key: value.astype(np.complex64)})
        else:
            wrong.append({**before, key: "much"})
    for state in wrong:
        with pytest.raises(ValueError, match="expected"):
            learner.set_state(state)
        assert_same(before, learner.get_state())


def _with(value: float) -> tuple[np.ndarray, np.ndarray]:
    x, y = data(4)
    y[2, 1] = value
    return x, y


BAD: dict[str, tuple[Any, Any, type[Exception], str]] = {
    "NaN": (*_with(np.nan), ValueError, "targets row 2, column 1: nan"),
    "infinity": (*_with(-np.inf), ValueError, "targets row 2, column 1: -inf"),
    "too large": (*_with(1e60), ValueError, "1e[+]60; expected finite numbers of at most"),
    "NaN inputs": (np.full((1, 3), np.nan), np.zeros((1, 2)), ValueError, "inputs row 0, column 0"),
    "more columns": (np.zeros((4, 4)), np.zeros((4, 2)), ValueError, r"\(4, 4\).*\(batch, 3\)"),
    "one row flat": (np.zeros(3), np.zeros((1, 2)), ValueError, r"\(3,\); expected \(batch, 3\)"),
    "fewer targets": (np.zeros((4, 3)), np.zeros((3, 2)), ValueError, "4 inputs and 3 targets"),
    "text": (np.full((1, 3), "a"), np.zeros((1, 2)), TypeError, "expected real numbers"),
    "complex": (np.ones((1, 3)), np.ones((1, 2)) * 1j, TypeError, "complex128; expected real"),
    "objects": (np.array([[1, None, 2]]), np.ones((1, 2)), TypeError, "object; expected real"),
}


@pytest.mark.parametrize("kind", sorted(BAD))
def test_bad_batch_rejected(make: Callable[[], Any], kind: str) -> None:
    inputs, targets, error, message = BAD[kind]
    learner = make()
    feed(learner, 0, 30)
    before = learner.get_state()
    with pytest.raises(error, match=message):
        learner.update(inputs, targets)
    if inputs is not None and not message.startswith(("targets", "1e", "4 inputs", "complex")):
        with pytest.raises(error, match="expected"):
            learner.predict(inputs)
        with pytest.raises(error, match="expected"):
            learner.draw(inputs, np.random.default_rng(0))
    assert_same(before, learner.get_state())


@pytest.mark.parametrize("scale", [1e45, 1e-45, 1e12])
def test_extreme_numbers_stay_finite(make: Callable[[], Any], scale: float) -> None:
    learner = make()
    x, y = data(70)
    for row in range(0, 70, 7):
        learner.update(x[row : row + 7] * scale, y[row : row + 7] * scale)
        scale = -scale
    for part in learner.predict(x * scale):
        assert np.isfinite(part).all()


@pytest.mark.parametrize("make_wrong", [GaussianProcess, DeepBelief, ProbabilisticEnsemble])
def test_sizes_must_be_positive_integers(make_wrong: Any) -> None:
    with pytest.raises(ValueError, match="num_inputs=0"):
        make_wrong(0, 1)
    with pytest.raises(ValueError, match=r"num_outputs=1\.5"):
        make_wrong(1, 1.5)


@pytest.mark.parametrize("kind", [DeepBelief, ProbabilisticEnsemble])
def test_training_keywords_are_grouped(kind: Any) -> None:
    with pytest.warns(DeprecationWarning, match="TrainingSettings"):
        learner = kind(3, 2, hidden=(4,), batch_size=9, capacity=20)
    settings = learners.TrainingSettings(batch_size=9, capacity=20)
    assert learner.settings == settings
    assert (
        repr(learner)
        == f"{kind.__name__}(num_inputs=3, num_outputs=2, hidden=(4,), settings={settings!r})"
    )


def test_package_import_is_light() -> None:
    code = """
import sys
sys.modules["torch"] = sys.modules["scipy"] = None
from dynamaze.agents import learners
for name in ("DeepBelief", "GaussianProcess"):
    try:
        getattr(learners, name)
    except ImportError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    assert all('pip install "dynamaze[models]"' in line for line in lines)
