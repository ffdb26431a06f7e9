"""The loop: it learns, several students cost one teacher, and a killed run resumes to the bit."""

import numpy as np
import pytest
import torch

from dynamaze.common.storage import CheckpointError
from dynamaze.distill.core.dataset import Dataset, make_batch
from dynamaze.distill.core.levels import LevelRange
from dynamaze.distill.core.losses import Targets, kl, value_mse
from dynamaze.distill.data.source import Asked
from dynamaze.distill.students.base import Answers
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.students.value_iteration import RecurrentPlanner
from dynamaze.distill.training.callbacks import Checkpoints, EarlyStopping, TensorBoard
from dynamaze.distill.training.distiller import Distiller
from dynamaze.distill.training.restarts import best_start


class Counting:
    """A teacher that counts how often it is asked."""

    def __init__(self):
        self.asked = 0

    def action_logits(self, observations):
        self.asked += 1
        return 3.0 * np.asarray(observations) @ np.array([[1.0, -1.0, 0.0], [0.0, 1.0, -1.0]])

    def action_probabilities(self, observations):
        raise AssertionError("logits are there")


def _source(teacher=None):
    return Asked(teacher or Counting(), lambda rng, progress: rng.normal(size=(32, 2)).astype("f4"))


def _distiller(students=None, steps=40, **kwargs):
    students = (
        {"a": MLP((2,), 3, 4), "b": MLP((2,), 3, 9, seed=1)} if students is None else students
    )
    return Distiller(students, _source(), total_steps=steps, learning_rate=0.02, **kwargs)


def _weights(distiller):
    return {
        name: [weight.detach().numpy().copy() for weight in student.parameters()]
        for name, student in distiller.students.items()
    }


def _same(one, other):
    return all(
        np.array_equal(a, b) for name in one for a, b in zip(one[name], other[name], strict=True)
    )


def test_students_learn_what_the_teacher_says():
    told = []
    distiller = _distiller(steps=400)
    distiller.distil(callback=told.append)
    for name in ("a", "b"):
        assert np.mean([step.losses[name] for step in told[-20:]]) < 0.05 < told[0].losses[name]


def test_the_teacher_is_asked_once_a_batch_however_many_students_there_are():
    teacher = Counting()
    students = {str(width): MLP((2,), 3, width) for width in range(1, 6)}
    Distiller(students, _source(teacher), total_steps=7).distil()
    assert teacher.asked == 7


def test_a_student_learns_the_same_alone_and_in_company():
    alone = _distiller({"a": MLP((2,), 3, 4)}).distil()
    together = _distiller().distil()
    assert _same({"a": _weights(alone)["a"]}, _weights(together))


def test_a_run_that_was_stopped_goes_on_to_the_same_bits(tmp_path):
    whole = _distiller().distil()
    _distiller().distil(15, Checkpoints(tmp_path / "c.npz", every=15))
    other = _distiller({"a": MLP((2,), 3, 4, seed=7), "b": MLP((2,), 3, 9, seed=8)})
    resumed = other.resume(tmp_path / "c.npz").distil()
    assert resumed.step == 40
    assert _same(_weights(whole), _weights(resumed))


def test_a_planner_that_draws_and_anneals_goes_on_to_the_same_bits(tmp_path):
    from dynamaze.benchmarks.distillation.mazes import Mazes
    from dynamaze.envs.generation.planes import ShortestPathPolicy

    def made():
        source = Asked(ShortestPathPolicy(), Mazes(cells=100))
        return Distiller(RecurrentPlanner(8), source, total_steps=12, learning_rate=0.05)

    whole = made().distil()
    made().distil(7, Checkpoints(tmp_path / "c.npz", every=7))
    resumed = made().resume(tmp_path / "c.npz").distil()
    states = [d.student.state_dict() for d in (whole, resumed)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert whole.student.sharpness > 1


def test_checkpoints_of_others_are_refused_and_change_nothing(tmp_path):
    _distiller().distil(5).save(tmp_path / "c.npz")
    other = _distiller({"a": MLP((2,), 3, 5), "b": MLP((2,), 3, 9)})
    before = _weights(other)
    with pytest.raises(CheckpointError, match=r"is of students .* and 40 steps; expected"):
        other.resume(tmp_path / "c.npz")
    assert _same(before, _weights(other))
    assert other.step == 0
    data = Dataset(make_batch(np.zeros((1, 2)), np.zeros((1, 3))))
    data.save(tmp_path / "d.npz")
    with pytest.raises(CheckpointError, match="holds 'dataset'; expected a distiller"):
        other.resume(tmp_path / "d.npz")


def test_stopping_keeps_the_best_weights_and_its_memory_is_resumed(tmp_path):
    scores = iter([0.1, 0.9, 0.5, 0.4])
    stopping = EarlyStopping(lambda students: {"a": next(scores)}, every=5, patience=2)
    distiller = _distiller({"a": MLP((2,), 3, 4)})
    kept = {}

    def at_ten(step):
        if step.step == 10:
            kept.update(_weights(distiller))

    distiller.distil(
        callback=[at_ten, stopping, Checkpoints(tmp_path / "c", every=5, callbacks=(stopping,))]
    )
    assert distiller.step == 20
    assert stopping.best == {"a": 0.9}
    assert [step for step, _ in stopping.history] == [5, 10, 15, 20]
    stopping.restore(distiller.students)
    assert _same(kept, _weights(distiller))
    again = EarlyStopping(lambda students: {"a": 0.0}, every=5)
    fresh = _distiller({"a": MLP((2,), 3, 4)}).resume(tmp_path / "c", (again,))
    again.restore(fresh.students)
    assert again.best == {"a": 0.9}
    assert _same(kept, _weights(fresh))


def test_stopping_when_it_is_enough():
    stopping = EarlyStopping(lambda students: dict.fromkeys(students, 1.0), every=3, enough=0.99)
    assert _distiller().distil(callback=stopping).step == 3


def test_a_callback_that_says_false_ends_training_and_all_others_are_told():
    told = []
    distiller = _distiller().distil(
        callback=[lambda step: step.step < 4, lambda step: told.append(1)]
    )
    assert distiller.step == len(told) == 4


def test_the_best_beginning_is_found():
    """One candidate has been taught already; its loss is the smallest from the first step on."""
    taught = MLP((2,), 3, 4)
    Distiller(taught, _source(), total_steps=400, learning_rate=0.02).distil()
    number, losses = best_start(
        [MLP((2,), 3, 4, seed=1), taught, MLP((2,), 3, 4, seed=2)],
        _source(),
        steps=5,
        total_steps=400,
    )
    assert number == 1 == int(np.argmin(losses))
    assert len(losses) == 3


def test_several_answers_count_by_their_own_weights_and_are_averaged():
    first, second = torch.tensor([0.0] * 16 + [1.0] * 16), torch.linspace(0, 2, 32)

    class Twice(MLP):
        def training_answers(self, observations, progress, rng):
            logits = self(observations)
            return [Answers(logits, first), Answers(2 * logits, second, logits[:, 0])]

    rng, student = np.random.default_rng(5), Twice((2,), 3, 4)
    columns = rng.normal(size=(32, 2)), rng.normal(size=(32, 3)), rng.random(32), rng.random(32)
    data = make_batch(*columns)
    source = type("Same", (), {"batch": lambda self, rng, progress: data})()
    told = []
    weights = torch.tensor(data.weights)
    with torch.no_grad():
        logits = student(torch.tensor(data.observations))
    targets = Targets(torch.tensor(data.logits), weights, torch.tensor(data.values))
    once = kl()(logits, targets._replace(weights=weights * first))
    twice = kl()(2 * logits, targets._replace(weights=weights * second))
    worth = value_mse(logits[:, 0], targets._replace(weights=weights * second))
    Distiller(student, source, total_steps=1, value_coef=0.3).distil(callback=told.append)
    expected = (once + twice + 0.3 * worth).item() / 2
    assert told[0].losses["student"] == pytest.approx(expected, rel=1e-5)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="no students"):
        _distiller({})
    with pytest.raises(ValueError, match="total_steps"):
        _distiller(steps=0)
    with pytest.raises(ValueError, match="2 students; expected"):
        _ = _distiller().student


def test_students_larger_than_their_teacher_are_warned_of():
    teacher = MLP((2,), 3, 1)
    with pytest.warns(UserWarning, match="student 'b' has 57 parameters, more than the 9 of its"):
        Distiller({"a": teacher, "b": MLP((2,), 3, 9)}, _source(teacher), total_steps=1)


def test_a_student_of_other_actions_is_refused():
    distiller = Distiller(MLP((2,), 4, 4), _source(), total_steps=3)
    with pytest.raises(ValueError, match=r"logits of shape \(32, 4\) and the teacher of \(32, 3\)"):
        distiller.distil()


def test_judging_on_levels_that_are_trained_on_is_refused():
    source = Asked(Counting(), _source().ask, (LevelRange(0, 10),))
    stopping = EarlyStopping(lambda students: {}, every=1, levels=[LevelRange(9, 5)])
    with pytest.raises(ValueError, match="trained on levels 0 to 9 and held out levels 9 to 13"):
        Distiller(MLP((2,), 3, 4), source, total_steps=3).distil(callback=stopping)


def test_a_teacher_that_gives_no_number_is_refused():
    source = _source(lambda observations: np.full((len(observations), 3), np.nan))
    with pytest.raises(ValueError, match=r"nan|NaN"):
        Distiller(MLP((2,), 3, 4), source, total_steps=3).distil()


def test_losses_are_written_for_tensorboard(tmp_path):
    pytest.importorskip("tensorboard", reason="the package tensorboard is not installed")
    _distiller(steps=4).distil(callback=TensorBoard(tmp_path, every=2))
    assert list(tmp_path.glob("events*"))
