"""Actor and critic: joint gradients, independence, recurrent states and exports."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode

from dynamaze.distill.core.dataset import Dataset, make_batch
from dynamaze.distill.core.distributions import distribution_of
from dynamaze.distill.core.losses import Targets, kl, value_mse
from dynamaze.distill.data.playing import output_fn
from dynamaze.distill.data.rollouts import Rollouts
from dynamaze.distill.data.source import FunctionSource
from dynamaze.distill.export.c_source.policy import find_compiler
from dynamaze.distill.export.load import open_policy
from dynamaze.distill.files.students import load_student, save_student
from dynamaze.distill.students.base import as_student
from dynamaze.distill.students.composite import ActorCritic, GaussianStudent
from dynamaze.distill.students.gru import GRU
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.students.quantise import quantised
from dynamaze.distill.students.table import TableStudent
from dynamaze.distill.students.value_iteration import ValueIterationNetwork
from dynamaze.distill.teachers import ActionValues, as_teacher, teacher_values
from dynamaze.distill.training.distiller import Distiller

from ..small_envs import clocks

SEEN = np.random.default_rng(0).normal(size=(12, 2)).astype(np.float32)


def action_values(observations: Any) -> np.ndarray:
    return np.asarray(observations) @ np.array([[1.0, -1.0, 0.0], [0.0, 1.0, -1.0]])


TEACHER = ActionValues(action_values, temperature=0.2)


def queried(teacher: Any = TEACHER) -> FunctionSource:
    return FunctionSource(teacher, lambda rng, _: rng.normal(size=(32, 2)).astype("f4"))


def pair(seed: int = 0) -> ActorCritic:
    return ActorCritic(MLP((2,), 3, 6, seed=seed), MLP((2,), 1, 8, seed=seed + 1))


def same(one: Any, other: Any) -> bool:
    expected = other.state_dict()
    return all(torch.equal(weight, expected[name]) for name, weight in one.state_dict().items())


# -- training ----------------------------------------------------------------------------------


def test_actor_critic_gradient_is_joint() -> None:
    rng = np.random.default_rng(1)
    rows = make_batch(SEEN, rng.normal(size=(12, 3)), rng.random(12), rng.normal(size=12))
    data = type("Whole", (Dataset,), {"batch": lambda self, *_: self.rows})(rows)
    one = pair()
    twin = deepcopy(one)
    distiller = Distiller(one, data, total_steps=1, loss=kl(2.0), value_coef=0.7, clip=1e9)
    losses: list[float] = []
    distiller.distil(callback=lambda step: losses.append(step.losses["student"]))
    targets = Targets(*(torch.tensor(column) for column in rows[1:] if column is not None))
    values = twin.critic(torch.tensor(SEEN)).flatten()
    loss = kl(2.0)(twin.actor(torch.tensor(SEEN)), targets) + 0.7 * value_mse(values, targets)
    loss.backward()
    assert losses[0] == pytest.approx(loss.item(), rel=1e-6)
    for own, expected in zip(one.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(own.grad, expected.grad, rtol=1e-5, atol=1e-7)


def test_actor_critic_learns_and_teaches_values() -> None:
    one = pair()
    Distiller(one, queried(), total_steps=1000, learning_rate=0.03, value_coef=2.0).distil()
    values = TEACHER.state_values(SEEN)
    constant = np.abs(values - values.mean()).mean()
    assert np.abs(one.state_values(SEEN) - values).mean() < constant / 2
    chances = TEACHER.action_probabilities(SEEN)
    assert np.abs(one.action_probabilities(SEEN) - chances).mean() < 0.05
    assert as_teacher(one) is one
    batch = queried(one).batch(np.random.default_rng(0), 0.0)
    np.testing.assert_array_equal(batch.values, teacher_values(one, batch.observations))


def test_zero_value_coef_leaves_critic() -> None:
    one = pair()
    before = deepcopy(one)
    Distiller(one, queried(action_values), total_steps=3, value_coef=0).distil()
    assert same(one.critic, before.critic)
    assert not same(one.actor, before.actor)
    with pytest.raises(ValueError, match="without the teacher's values; expected a teacher that"):
        Distiller(one, queried(action_values), total_steps=3).distil()
    with pytest.raises(ValueError, match="value_coef=-1"):
        Distiller(one, queried(), total_steps=3, value_coef=-1)


def test_actor_critic_unaffected_by_other_students() -> None:
    """Each student trains as if alone, also where its gradient is not clipped."""

    def trained(students: Any) -> dict[str, Any]:
        return Distiller(students, queried(), total_steps=20, clip=1e9).distil().students

    alone = trained({"pair": pair()})["pair"]
    together = trained({"pair": pair(), "actor": MLP((2,), 3, 6, seed=0)})
    assert same(alone, together["pair"])
    assert same(alone.actor, together["actor"])


def test_actor_critic_resume_bit_identical(tmp_path: Path) -> None:
    teacher = ActionValues(lambda seen: action_values(seen)[:, :2])

    def made(seed: int = 0) -> Distiller:
        students = {
            "pair": ActorCritic(MLP((2,), 2, 5, seed=seed), MLP((2,), 1, 5)),
            "one": MLP((2,), 2, 4, seed=seed),
        }
        source = Rollouts(teacher, clocks(AutoresetMode.NEXT_STEP), batch_size=16)
        return Distiller(students, source, total_steps=16)

    def halfway(step: Any) -> None:
        if step.step == 7:
            step.distiller.save(tmp_path / "c.npz")

    whole = made().distil(callback=halfway)
    resumed = made(9).resume(tmp_path / "c.npz").distil()
    for name in ("pair", "one"):
        assert same(whole.students[name], resumed.students[name])


def test_actor_critic_with_iterative_actor() -> None:
    planes = np.zeros((4, 3, 5, 5), np.float32)
    planes[:, 1, 2, np.arange(4)] = planes[:, 2, 0, 0] = 1.0
    one = ActorCritic(ValueIterationNetwork(), MLP((3, 5, 5), 1))
    outputs = one.training_outputs(torch.tensor(planes), 0.5, np.random.default_rng(0))
    assert len(outputs) > 1
    values = one.critic(torch.tensor(planes)).flatten()
    assert all(torch.equal(each.values, values) for each in outputs)  # type: ignore[arg-type]
    assert one.penalty(1.0) == one.actor.penalty(1.0) > 0


# -- a policy ----------------------------------------------------------------------------------


def test_actor_critic_policy_is_actor() -> None:
    one = pair()
    np.testing.assert_array_equal(one.action_logits(SEEN), one.actor.action_logits(SEEN))
    np.testing.assert_array_equal(output_fn(one)(SEEN), one.actor.action_probabilities(SEEN))
    assert one.act(SEEN[0]) == one.actor.act(SEEN[0])
    assert distribution_of(one) == "categorical"
    assert not hasattr(one, "action_gaussian")
    assert not hasattr(one, "memory")
    assert one.multiply_adds((2,)) == one.actor.multiply_adds((2,))
    assert one.num_parameters == one.actor.num_parameters + one.critic.num_parameters
    actor = GaussianStudent(MLP((2,), 2), [-1], [3], squashed=True)
    gaussian = ActorCritic(actor, MLP((2,), 1))
    assert distribution_of(gaussian) == "squashed_gaussian"
    assert gaussian.bounds is actor.bounds
    for own, expected in zip(
        gaussian.action_gaussian(SEEN), actor.action_gaussian(SEEN), strict=True
    ):
        np.testing.assert_array_equal(own, expected)
    np.testing.assert_array_equal(gaussian.act(SEEN[0]), actor.act(SEEN[0]))


def test_actor_critic_separate_recurrent_states() -> None:
    one = ActorCritic(GRU((2,), 3, 4, seed=1), GRU((2,), 1, 4, seed=2))
    actor, critic = deepcopy(one.actor), deepcopy(one.critic)
    sequence = np.random.default_rng(2).normal(size=(5, 6, 2)).astype(np.float32)
    for episode_start, step in zip(
        np.random.default_rng(3).random((5, 6)) < 0.3, sequence, strict=True
    ):
        for each in (one, actor, critic):
            each.reset(episode_start)
        np.testing.assert_array_equal(one.action_logits(step), actor.action_logits(step))
        np.testing.assert_array_equal(one.state_values(step), critic.action_logits(step)[:, 0])
    memory = one.memory
    one.memory = None
    assert one.actor.memory is None
    assert one.critic.memory is None
    one.memory = memory
    np.testing.assert_array_equal(one.actor.memory, memory[0])
    one.reset()
    assert one.memory is None


def test_actor_critic_recurrent_sequences_with_values() -> None:
    one = ActorCritic(GRU((2,), 2, 4), GRU((2,), 1, 4))
    source = Rollouts(one, clocks(AutoresetMode.NEXT_STEP), batch_size=30, sequence_length=5)
    batch = source.batch(np.random.default_rng(0), 0.0)
    assert one.memory is None
    assert batch.values is not None
    alone = deepcopy(one)
    outputs = alone(torch.tensor(batch.observations)).detach().numpy()
    values = alone.critic(torch.tensor(batch.observations)).detach().numpy()[:, 0]
    counted = batch.weights > 0
    np.testing.assert_allclose(batch.logits[counted], outputs[counted], atol=1e-5)
    np.testing.assert_allclose(batch.values[counted], values[counted], atol=1e-5)
    Distiller(alone, source, total_steps=2).distil()


# -- files and exports -------------------------------------------------------------------------


def test_actor_critic_file_round_trip(tmp_path: Path) -> None:
    gaussian = GaussianStudent(GRU((2,), 4, 3), [-1, -1], [1, 1])
    for one in (pair(), quantised(pair(), 8), ActorCritic(gaussian, GRU((2,), 1, 3))):
        save_student(tmp_path / "s.safetensors", one)
        loaded = load_student(tmp_path / "s.safetensors")
        assert loaded.config == one.config
        np.testing.assert_array_equal(loaded.state_values(SEEN), one.state_values(SEEN))
        np.testing.assert_array_equal(output_fn(loaded)(SEEN), output_fn(one)(SEEN))
    save_student(tmp_path / "s.safetensors", pair())
    assert open_policy(tmp_path / "s.safetensors").policy.act(SEEN[0]) == pair().act(SEEN[0])


def test_onnx_holds_actor_only(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="the extra onnx is not installed")
    from dynamaze.distill.export.onnx_graph.policy import OnnxPolicy
    from dynamaze.distill.export.onnx_graph.writer import export_onnx

    for name, one in (("pair", pair()), ("actor", pair().actor)):
        export_onnx(tmp_path / name, one, SEEN[0])
    assert (tmp_path / "pair").read_bytes() == (tmp_path / "actor").read_bytes()
    found = OnnxPolicy(tmp_path / "pair").action_logits(SEEN)
    np.testing.assert_allclose(found, pair().action_logits(SEEN), atol=1e-5)


@pytest.mark.skipif(find_compiler() is None, reason="there is no C compiler")
def test_c_holds_actor_only(tmp_path: Path) -> None:
    from dynamaze.distill.export.c_source.policy import CPolicy
    from dynamaze.distill.export.c_source.writer import export_c

    export_c(tmp_path / "pair.h", quantised(pair(), 8), SEEN[0])
    found = CPolicy(tmp_path / "pair.h").action_logits(SEEN)
    np.testing.assert_allclose(found, quantised(pair(), 8).action_logits(SEEN), atol=1e-5)


def test_actor_critic_refuses_bad_parts() -> None:
    with pytest.raises(ValueError, match="critic has 2 outputs; expected 1"):
        ActorCritic(MLP((2,), 3), MLP((2,), 2))
    with pytest.raises(TypeError, match="actor of type TableStudent; expected a student"):
        ActorCritic(TableStudent((2,), 3), MLP((2,), 1))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="critic is quantised already"):
        ActorCritic(MLP((2,), 3), quantised(MLP((2,), 1)))
    wide = ActorCritic(MLP((2,), 3), as_student(torch.nn.Linear(2, 2)))
    with pytest.raises(
        ValueError, match=r"the critic gave shape \(12, 2\); expected \(queries, 1\)"
    ):
        wide.state_values(SEEN)
    with pytest.raises(ValueError, match=r"the critic gave shape \(32, 2\)"):
        Distiller(wide, queried(), total_steps=1).distil()


def test_value_labels_refuse_bad_values() -> None:
    class GivenValues(ActionValues):
        given: Any

        def state_values(self, observations: Any) -> Any:
            return self.given

    teacher = GivenValues(action_values)
    for given, match in (
        (np.zeros((32, 1)), r"values of GivenValues have shape \(32, 1\); expected \(queries,\)"),
        (np.zeros(31), "31 labels for 32 observations"),
        (np.full(32, np.inf), "value of GivenValues in row 0 is inf; expected finite"),
    ):
        teacher.given = given
        with pytest.raises(ValueError, match=match):
            queried(teacher).batch(np.random.default_rng(0), 0.0)
