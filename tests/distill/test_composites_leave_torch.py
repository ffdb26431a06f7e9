"""Students that are made of others, compiled, as ONNX and as C: the same answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from dynamaze.distill.core.distributions import distribution_of
from dynamaze.distill.evaluation import evaluate
from dynamaze.distill.export.compiled import load_policy, policy_of
from dynamaze.distill.export.load import check_parity
from dynamaze.distill.export.policy_file import open_policy
from dynamaze.distill.files.safetensors import StudentFileError
from dynamaze.distill.files.students import save_student, stored_form
from dynamaze.distill.students.composite import ActorCritic
from dynamaze.distill.students.gaussian import GaussianStudent
from dynamaze.distill.students.linear import Linear
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.students.quantise import quantised
from dynamaze.distill.students.registry import make_student
from dynamaze.viewer.policies import FixedPolicyAgent

from .composites import BOUNDS, same, wide
from .forms import Form, as_c, as_onnx, every_form
from .students_to_ship import CONFIGS, observations
from .worlds import Dial

SEEN = np.random.default_rng(0).normal(size=(10_000, 3)).astype(np.float32)
written = pytest.mark.parametrize("form", [as_onnx, as_c])


# -- continuous actions ------------------------------------------------------------------------


@every_form
@pytest.mark.parametrize("squashed", [False, True])
def test_ten_thousand_gaussians_are_the_students(
    form: Form, squashed: bool, tmp_path: Path
) -> None:
    student = GaussianStudent(wide(), *BOUNDS, squashed=squashed)
    policy = form(student, tmp_path, SEEN[0])
    same(policy, student, SEEN, alone=500)
    _, deviations = student.action_gaussian(SEEN)
    assert (deviations.min(), deviations.max()) == (-20.0, 2.0)
    assert policy.bounds.is_like(student.bounds)
    assert distribution_of(policy) == distribution_of(student)
    for ask in (policy.action_logits, policy.action_probabilities):
        with pytest.raises(TypeError, match="no logits; ask its action_gaussian"):
            ask(SEEN)


@every_form
@pytest.mark.parametrize("low", [[None, 0.0], [-0.1, None], [None, None]])
def test_bounds_may_be_missing(form: Form, low: Any, tmp_path: Path) -> None:
    student = GaussianStudent(wide(), low, [None, 0.5])
    policy = form(student, tmp_path, SEEN[0])
    same(policy, student, SEEN[:500], alone=500)
    actions = np.array([policy.act(one) for one in SEEN[:500]])
    assert (np.isinf(policy.bounds.low) == [side is None for side in low]).all()
    assert actions[:, 0].max() > 9
    assert actions[:, 1].max() == np.float32(0.5)


@every_form
@pytest.mark.parametrize("squashed", [False, True])
def test_an_action_has_the_shape_of_the_bounds(form: Form, squashed: bool, tmp_path: Path) -> None:
    for low in (-np.ones((2, 1)), np.float64(-1)):
        student = GaussianStudent(Linear((3,), 2 * low.size), low, low + 3, squashed=squashed)
        policy = form(student, tmp_path, SEEN[0])
        same(policy, student, SEEN[:20])


@every_form
def test_one_that_remembers_does_so_without_torch(form: Form, tmp_path: Path) -> None:
    inner = make_student("gru", observation_shape=(3,), num_actions=4, width=5)
    student = GaussianStudent(inner, *BOUNDS)
    policy = form(student, tmp_path, SEEN[0])
    for moment in SEEN.reshape(10, 1000, 3):  # a thousand episodes of ten moments
        same(policy, student, moment, alone=0)
    np.testing.assert_allclose(policy.memory, student.memory, atol=1e-5)
    policy.reset()
    student.reset()
    assert policy.memory is None
    same(policy, student, SEEN[:1], alone=0)
    for one in SEEN[:50]:
        np.testing.assert_allclose(policy.act(one), student.act(one), atol=1e-5)
    with pytest.raises(ValueError, match="2 observations, and a memory of 1"):
        policy.action_gaussian(SEEN[:2])


@every_form
@pytest.mark.parametrize("name", ["planner", "conv", "conv of a picture", "linear"])
def test_every_network_may_be_inside(form: Form, name: str, tmp_path: Path) -> None:
    outputs = {} if name == "planner" else {"num_actions": 4}
    inner = make_student(**{**CONFIGS[name][0], **outputs}, seed=3)
    student, asked = GaussianStudent(inner, *BOUNDS), observations(name, 200)
    same(form(student, tmp_path, asked[0]), student, asked)


@every_form
def test_rounded_weights_are_what_they_stand_for(form: Form, tmp_path: Path) -> None:
    student = quantised(GaussianStudent(wide(), *BOUNDS), 4)
    same(form(student, tmp_path, SEEN[0]), student, SEEN[:500])


@every_form
def test_an_actor_may_be_inside(form: Form, tmp_path: Path) -> None:
    actor = make_student("gru", observation_shape=(3,), num_actions=4, width=5)
    student = GaussianStudent(ActorCritic(actor, MLP((3,), 1)), *BOUNDS)
    policy = form(student, tmp_path, SEEN[0])
    for moment in SEEN[:500].reshape(5, 100, 3):
        same(policy, student, moment, alone=0)


@written
def test_bounds_that_float32_does_not_hold_are_none(form: Form, tmp_path: Path) -> None:
    low, high = [-1e39, 0.0], [1.0, 1e39]
    student = GaussianStudent(wide(), low, high)
    same(form(student, tmp_path, SEEN[0]), student, SEEN[:50])
    with pytest.raises(ValueError, match=r"squashed .* expected bounds that float32 holds"):
        form(GaussianStudent(wide(), low, high, squashed=True), tmp_path, SEEN[0])


@written
def test_of_an_actor_with_a_critic_the_actor_is_written(form: Form, tmp_path: Path) -> None:
    actor = GaussianStudent(wide(), *BOUNDS, squashed=True)
    files = []
    for one in (actor, ActorCritic(actor, MLP((3,), 1))):
        same(form(one, tmp_path, SEEN[0]), actor, SEEN[:10])
        (file,) = tmp_path.iterdir()
        files.append(file.read_bytes())
    assert files[0] == files[1]


@every_form
@pytest.mark.parametrize("squashed", [False, True])
def test_they_are_played_judged_and_watched_as_the_student(
    form: Form, squashed: bool, tmp_path: Path
) -> None:
    def judged(policy: Any) -> Any:
        worlds = gym.vector.SyncVectorEnv([Dial] * 3)
        return evaluate(policy, worlds, 12, gamma=1, seed=0, deterministic=False).undiscounted

    student = GaussianStudent(MLP((2,), 4, 5, seed=2), [-1, -2], [1, 4], squashed=squashed)
    policy = form(student, tmp_path, np.zeros(2, dtype=np.float32))
    np.testing.assert_allclose(judged(policy), judged(student), atol=1e-5)
    moment = next(FixedPolicyAgent(Dial(), policy, "it", seed=0).steps())
    np.testing.assert_allclose(moment.action, student.act(moment.observation), atol=1e-5)
    with pytest.raises(ValueError, match=r"does not fit .*gaussian actions where"):
        FixedPolicyAgent(gym.make("CartPole-v1"), policy, "it")
    wrong = form(GaussianStudent(student.inner, [-1, -2], [1, 5]), tmp_path, np.zeros(2, "f4"))
    with pytest.raises(ValueError, match=r"a policy of actions from .* to \[1.0, 5.0\]"):
        FixedPolicyAgent(Dial(), wrong, "it")


# -- their files -------------------------------------------------------------------------------


def test_a_file_tells_what_the_student_costs(tmp_path: Path) -> None:
    student = GaussianStudent(wide(), *BOUNDS)
    save_student(tmp_path / "s.safetensors", student)
    policy = load_policy(tmp_path / "s.safetensors")
    same(policy, student, SEEN[:10])
    assert policy.num_parameters == student.num_parameters
    assert policy.multiply_adds((3,)) == student.multiply_adds((3,))


def test_of_an_actor_with_a_critic_the_actor_acts(tmp_path: Path) -> None:
    student = ActorCritic(MLP((3,), 5, 8, seed=2), MLP((3,), 1))
    save_student(tmp_path / "s.safetensors", student)
    policy = open_policy(tmp_path / "s.safetensors").policy
    assert check_parity(student, policy, SEEN).same_actions == len(SEEN)
    assert policy.num_parameters == student.actor.num_parameters


def test_parts_that_need_torch_are_told(tmp_path: Path) -> None:
    student = ActorCritic(make_student("residual", channels=4, blocks=1), MLP((3, 5, 5), 1))
    with pytest.raises(
        StudentFileError, match="of kind 'actor_critic' with one of kind 'residual', which needs"
    ):
        policy_of(stored_form(student))


@pytest.mark.parametrize("part", [None, "mlp", {}, {"kind": "gaussian"}, {"kind": "mlp"}])
def test_a_damaged_description_is_refused(part: Any) -> None:
    stored = stored_form(GaussianStudent(MLP((3,), 4, 8), *BOUNDS))
    with pytest.raises(StudentFileError):
        policy_of(stored._replace(config={**stored.config, "inner": part}))
    with pytest.raises(StudentFileError, match="4 outputs; expected 2"):
        policy_of(stored._replace(config={**stored.config, "low": [0.0], "high": [1.0]}))
