"""The training loop: learning, several students, callbacks and checkpoints."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dynamaze.common.storage import CheckpointError, read_checkpoint, write_checkpoint
from dynamaze.distill.core.dataset import Dataset, make_batch
from dynamaze.distill.core.levels import LevelRange
from dynamaze.distill.core.losses import Targets, kl, value_mse
from dynamaze.distill.data.source import FunctionSource
from dynamaze.distill.students.base import TrainingOutput, as_student
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.students.value_iteration import ValueIterationNetwork
from dynamaze.distill.training.callbacks import Checkpoints, CsvLog, EarlyStopping, TensorBoard
from dynamaze.distill.training.distiller import Distiller, terms_text
from dynamaze.distill.training.restarts import best_restart


class Counting:
    """Teacher that counts its calls."""

    def __init__(self):
        self.queried = 0

    def action_logits(self, observations):
        self.queried += 1
        return 3.0 * np.asarray(observations) @ np.array([[1.0, -1.0, 0.0], [0.0, 1.0, -1.0]])

    def action_probabilities(self, observations):
        raise AssertionError("logits are there")


def _source(teacher=None):
    return FunctionSource(
        teacher or Counting(), lambda rng, progress: rng.normal(size=(32, 2)).astype("f4")
    )


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


def test_distiller_learns_teacher():
    recorded = []
    distiller = _distiller(steps=400)
    distiller.distil(callback=recorded.append)
    for name in ("a", "b"):
        assert (
            np.mean([step.losses[name] for step in recorded[-20:]])
            < 0.05
            < recorded[0].losses[name]
        )


def test_distiller_labels_batch_once():
    teacher = Counting()
    students = {str(width): MLP((2,), 3, width) for width in range(1, 6)}
    Distiller(students, _source(teacher), total_steps=7).distil()
    assert teacher.queried == 7


def test_distiller_students_independent():
    alone = _distiller({"a": MLP((2,), 3, 4)}).distil()
    together = _distiller().distil()
    assert _same({"a": _weights(alone)["a"]}, _weights(together))


def test_distiller_resume_bit_identical(tmp_path):
    whole = _distiller().distil()
    _distiller().distil(15, Checkpoints(tmp_path / "c.npz", every=15))
    other = _distiller({"a": MLP((2,), 3, 4, seed=7), "b": MLP((2,), 3, 9, seed=8)})
    resumed = other.resume(tmp_path / "c.npz").distil()
    assert resumed.step == 40
    assert _same(_weights(whole), _weights(resumed))


def test_value_iteration_resume_bit_identical(tmp_path):
    from dynamaze.benchmarks.distillation.mazes import MazeSampler
    from dynamaze.envs.generation.planes import ShortestPathPolicy

    def made():
        source = FunctionSource(ShortestPathPolicy(), MazeSampler(cells=100))
        return Distiller(ValueIterationNetwork(8), source, total_steps=12, learning_rate=0.05)

    whole = made().distil()
    made().distil(7, Checkpoints(tmp_path / "c.npz", every=7))
    resumed = made().resume(tmp_path / "c.npz").distil()
    states = [d.student.state_dict() for d in (whole, resumed)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert whole.student.sharpness > 1


def test_resume_refuses_other_checkpoint(tmp_path):
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


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays, document: arrays["a0"].fill(np.nan),
        lambda arrays, document: arrays.update(a0=arrays["a0"].astype("U3")),
        lambda arrays, document: arrays.pop("a0"),
        lambda arrays, document: document.update(state=[1]),
        lambda arrays, document: document.update(state={"__pairs__": [["students", 5]]}),
        lambda arrays, document: document["state"]["__pairs__"][0].__setitem__(1, -5),
        lambda arrays, document: document["state"]["__pairs__"].pop(-3),  # "others"
        lambda arrays, document: document["state"]["__pairs__"][2].__setitem__(1, None),
    ],
)
def test_resume_refuses_forged_checkpoint(tmp_path, change):
    _distiller().distil(5).save(tmp_path / "c.npz")
    arrays, document = read_checkpoint(tmp_path / "c.npz")
    change(arrays, document)
    write_checkpoint(tmp_path / "c.npz", arrays, document)
    other = _distiller()
    before, rng = _weights(other), other.rng.bit_generator.state
    with pytest.raises(CheckpointError, match=r"c\.npz holds no state of this distiller"):
        other.resume(tmp_path / "c.npz")
    assert _same(before, _weights(other))
    assert (other.step, other.rng.bit_generator.state) == (0, rng)


def test_early_stopping_restores_best_and_resumes(tmp_path):
    scores = iter([0.1, 0.9, 0.5, 0.4])
    stopping = EarlyStopping(lambda students: {"a": next(scores)}, every=5, patience=2)
    distiller = _distiller({"a": MLP((2,), 3, 4)})
    weights_at_ten = {}

    def at_ten(step):
        if step.step == 10:
            weights_at_ten.update(_weights(distiller))

    distiller.distil(
        callback=[at_ten, stopping, Checkpoints(tmp_path / "c", every=5, callbacks=(stopping,))]
    )
    assert distiller.step == 20
    assert stopping.best == {"a": 0.9}
    assert [step for step, _ in stopping.history] == [5, 10, 15, 20]
    stopping.restore(distiller.students)
    assert _same(weights_at_ten, _weights(distiller))
    again = EarlyStopping(lambda students: {"a": 0.0}, every=5)
    fresh = _distiller({"a": MLP((2,), 3, 4)}).resume(tmp_path / "c", (again,))
    again.restore(fresh.students)
    assert again.best == {"a": 0.9}
    assert _same(weights_at_ten, _weights(fresh))


def test_early_stopping_ends_when_enough():
    stopping = EarlyStopping(lambda students: dict.fromkeys(students, 1.0), every=3, enough=0.99)
    assert _distiller().distil(callback=stopping).step == 3


def test_callback_false_ends_training():
    recorded = []
    distiller = _distiller().distil(
        callback=[lambda step: step.step < 4, lambda step: recorded.append(1)]
    )
    assert distiller.step == len(recorded) == 4


def test_best_restart_selects_smallest_loss():
    """One candidate is trained already, so that its loss is the smallest from the first step on."""
    trained = MLP((2,), 3, 4)
    Distiller(trained, _source(), total_steps=400, learning_rate=0.02).distil()
    number, losses = best_restart(
        [MLP((2,), 3, 4, seed=1), trained, MLP((2,), 3, 4, seed=2)],
        _source(),
        steps=5,
        total_steps=400,
    )
    assert number == 1 == int(np.argmin(losses))
    assert len(losses) == 3


def test_training_outputs_weighted_and_averaged():
    first, second = torch.tensor([0.0] * 16 + [1.0] * 16), torch.linspace(0, 2, 32)

    class Twice(MLP):
        def training_outputs(self, observations, progress, rng):
            logits = self(observations)
            return [TrainingOutput(logits, first), TrainingOutput(2 * logits, second, logits[:, 0])]

    rng, student = np.random.default_rng(5), Twice((2,), 3, 4)
    columns = rng.normal(size=(32, 2)), rng.normal(size=(32, 3)), rng.random(32), rng.random(32)
    data = make_batch(*columns)
    source = type("Same", (), {"batch": lambda self, rng, progress: data})()
    recorded = []
    weights = torch.tensor(data.weights)
    with torch.no_grad():
        logits = student(torch.tensor(data.observations))
    targets = Targets(torch.tensor(data.logits), weights, torch.tensor(data.values))
    once = kl()(logits, targets._replace(weights=weights * first))
    twice = kl()(2 * logits, targets._replace(weights=weights * second))
    value_loss = value_mse(logits[:, 0], targets._replace(weights=weights * second))
    Distiller(student, source, total_steps=1, value_coef=0.3).distil(callback=recorded.append)
    expected = (once + twice + 0.3 * value_loss).item() / 2
    assert recorded[0].losses["student"] == pytest.approx(expected, rel=1e-5)


def test_distiller_refuses_bad_input():
    with pytest.raises(ValueError, match="no students"):
        _distiller({})
    with pytest.raises(ValueError, match="total_steps"):
        _distiller(steps=0)
    with pytest.raises(ValueError, match="2 students; expected"):
        _ = _distiller().student


def test_distiller_warns_of_large_student():
    teacher = MLP((2,), 3, 1)
    with pytest.warns(UserWarning, match="student 'b' has 57 parameters, more than the 9 of its"):
        Distiller({"a": teacher, "b": MLP((2,), 3, 9)}, _source(teacher), total_steps=1)


def test_distiller_refuses_other_actions():
    distiller = Distiller(MLP((2,), 4, 4), _source(), total_steps=3)
    with pytest.raises(ValueError, match=r"logits of shape \(32, 4\) and the teacher of \(32, 3\)"):
        distiller.distil()


def test_early_stopping_refuses_training_levels():
    source = FunctionSource(Counting(), _source().sample_observations, (LevelRange(0, 10),))
    stopping = EarlyStopping(lambda students: {}, every=1, levels=[LevelRange(9, 5)])
    with pytest.raises(ValueError, match="trained on levels 0 to 9 and held out levels 9 to 13"):
        Distiller(MLP((2,), 3, 4), source, total_steps=3).distil(callback=stopping)


def test_distiller_refuses_nonfinite_labels():
    source = _source(lambda observations: np.full((len(observations), 3), np.nan))
    with pytest.raises(ValueError, match=r"nan|NaN"):
        Distiller(MLP((2,), 3, 4), source, total_steps=3).distil()


def test_tensorboard_writes_losses(tmp_path):
    pytest.importorskip("tensorboard", reason="the package tensorboard is not installed")
    _distiller(steps=4).distil(callback=TensorBoard(tmp_path, every=2))
    assert list(tmp_path.glob("events*"))


OLD_CHECKPOINT = Path(__file__).with_name("data") / "distiller_0_1.npz"


def test_old_checkpoint_resumes():
    """Version 0.1 saved after 2 of 4 steps of the distiller below, and went on to these weights."""
    torch.manual_seed(0)
    student = as_student(torch.nn.Linear(2, 2, bias=False))
    source = FunctionSource(
        lambda seen: seen[:, ::-1] * 2.0,
        lambda rng, progress: rng.normal(size=(8, 2)).astype("f4"),
    )
    distiller = Distiller(student, source, total_steps=4, learning_rate=0.1, device="cpu")
    distiller.resume(OLD_CHECKPOINT)
    assert distiller.step == 2
    assert distiller.distil().step == 4
    np.testing.assert_allclose(
        next(student.parameters()).detach().numpy(),
        [[-0.2432069033384323, 0.6156625151634216], [-0.34406784176826477, -0.7567270994186401]],
        rtol=1e-5,
    )


def test_csv_log_of_losses_is_continued(tmp_path):
    path = tmp_path / "log.csv"
    first = _distiller(steps=6)
    first.distil(4, CsvLog(path, every=2))
    first.save(tmp_path / "c")
    whole = path.read_text()
    first.distil(callback=CsvLog(path, every=2))
    assert path.read_text().startswith(whole)
    complete = path.read_text()
    _distiller(steps=6).resume(tmp_path / "c").distil(callback=CsvLog(path, every=2))
    assert path.read_text() == complete
    rows = [line.split(",") for line in complete.split()]
    assert [row[:2] for row in rows[:3]] == [["step", "name"], ["2", "loss/a"], ["2", "loss/b"]]
    assert [row[0] for row in rows[1:]] == ["2", "2", "4", "4", "6", "6"]
    path.write_text("a table of mine\n")
    with pytest.raises(ValueError, match=r"begins with \['a table of mine'\]; expected"):
        _distiller(steps=6).distil(callback=CsvLog(path))
    assert path.read_text() == "a table of mine\n"


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({"student/soft": 0.69314}, "soft 0.693"),
        ({"student/soft": 1234.5, "student/hints": 2e-5}, "soft 1.23e+03 hints 2e-05"),
        ({"a/soft": 1.0, "critic/a/value": 0.5}, "a/soft 1 critic/a/value 0.5"),
        ({}, ""),
    ],
)
def test_terms_text(terms, expected):
    assert terms_text(terms) == expected


def test_distil_shows_latest_terms(capsys):
    distiller = _distiller({"a": MLP((2,), 3, 4)}, steps=9)
    distiller.distil(callback=lambda step: step.step < 2, progress_bar=True)
    shown = capsys.readouterr().out
    assert shown.startswith("distilling: 2 of 9 steps, ")
    assert ", soft 0." in shown
