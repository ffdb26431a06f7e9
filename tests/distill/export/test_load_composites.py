"""Composite students, compiled, as ONNX and as C, against the originals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from dynamaze.distill.core.distributions import distribution_of
from dynamaze.distill.evaluation import evaluate
from dynamaze.distill.export.compiled import build_policy, load_policy
from dynamaze.distill.export.load import check_parity, open_policy
from dynamaze.distill.files.students import save_student, to_stored
from dynamaze.distill.files.weights import StudentFileError
from dynamaze.distill.students.composite import ActorCritic, GaussianStudent
from dynamaze.distill.students.mlp import MLP, Linear
from dynamaze.distill.students.quantise import quantised
from dynamaze.distill.students.registry import make_student
from dynamaze.viewer.policies import FixedPolicyAgent

from ..composite_students import BOUNDS, assert_same_policy, wide_outputs
from ..exporters import Exporter, as_c, as_onnx, every_exporter
from ..small_envs import BoxClock
from ..student_cases import CONFIGS, observations

SEEN = np.random.default_rng(0).normal(size=(10_000, 3)).astype(np.float32)
written = pytest.mark.parametrize("export", [as_onnx, as_c])


# -- continuous actions ------------------------------------------------------------------------


@every_exporter
@pytest.mark.parametrize("squashed", [False, True])
def test_gaussian_exports_match_student(export: Exporter, squashed: bool, tmp_path: Path) -> None:
    student = GaussianStudent(wide_outputs(), *BOUNDS, squashed=squashed)
    policy = export(student, tmp_path, SEEN[0])
    assert_same_policy(policy, student, SEEN, alone=500)
    _, deviations = student.action_gaussian(SEEN)
    assert (deviations.min(), deviations.max()) == (-20.0, 2.0)
    assert policy.bounds.is_like(student.bounds)
    assert distribution_of(policy) == distribution_of(student)
    for ask in (policy.action_logits, policy.action_probabilities):
        with pytest.raises(TypeError, match="no logits; use its action_gaussian"):
            ask(SEEN)


@every_exporter
@pytest.mark.parametrize("low", [[None, 0.0], [-0.1, None], [None, None]])
def test_gaussian_bounds_may_be_missing(export: Exporter, low: Any, tmp_path: Path) -> None:
    student = GaussianStudent(wide_outputs(), low, [None, 0.5])
    policy = export(student, tmp_path, SEEN[0])
    assert_same_policy(policy, student, SEEN[:500], alone=500)
    actions = np.array([policy.act(one) for one in SEEN[:500]])
    assert (np.isinf(policy.bounds.low) == [side is None for side in low]).all()
    assert actions[:, 0].max() > 9
    assert actions[:, 1].max() == np.float32(0.5)


@every_exporter
@pytest.mark.parametrize("squashed", [False, True])
def test_gaussian_action_has_bounds_shape(export: Exporter, squashed: bool, tmp_path: Path) -> None:
    for low in (-np.ones((2, 1)), np.float64(-1)):
        student = GaussianStudent(Linear((3,), 2 * low.size), low, low + 3, squashed=squashed)
        policy = export(student, tmp_path, SEEN[0])
        assert_same_policy(policy, student, SEEN[:20])


@every_exporter
def test_gaussian_recurrent_export_keeps_state(export: Exporter, tmp_path: Path) -> None:
    inner = make_student("gru", observation_shape=(3,), num_actions=4, width=5)
    student = GaussianStudent(inner, *BOUNDS)
    policy = export(student, tmp_path, SEEN[0])
    for observed in SEEN.reshape(10, 1000, 3):  # a thousand episodes of ten steps
        assert_same_policy(policy, student, observed, alone=0)
    np.testing.assert_allclose(policy.memory, student.memory, atol=1e-5)
    policy.reset()
    student.reset()
    assert policy.memory is None
    assert_same_policy(policy, student, SEEN[:1], alone=0)
    for one in SEEN[:50]:
        np.testing.assert_allclose(policy.act(one), student.act(one), atol=1e-5)
    with pytest.raises(ValueError, match="2 observations, and a state of 1"):
        policy.action_gaussian(SEEN[:2])


@every_exporter
@pytest.mark.parametrize("name", ["value iteration", "conv", "conv of an image", "linear"])
def test_gaussian_exports_every_network(export: Exporter, name: str, tmp_path: Path) -> None:
    outputs = {} if name == "value iteration" else {"num_actions": 4}
    inner = make_student(**{**CONFIGS[name][0], **outputs}, seed=3)
    student, queried = GaussianStudent(inner, *BOUNDS), observations(name, 200)
    assert_same_policy(export(student, tmp_path, queried[0]), student, queried)


@every_exporter
def test_gaussian_export_of_quantised_weights(export: Exporter, tmp_path: Path) -> None:
    student = quantised(GaussianStudent(wide_outputs(), *BOUNDS), 4)
    assert_same_policy(export(student, tmp_path, SEEN[0]), student, SEEN[:500])


@every_exporter
def test_gaussian_export_of_actor(export: Exporter, tmp_path: Path) -> None:
    actor = make_student("gru", observation_shape=(3,), num_actions=4, width=5)
    student = GaussianStudent(ActorCritic(actor, MLP((3,), 1)), *BOUNDS)
    policy = export(student, tmp_path, SEEN[0])
    for observed in SEEN[:500].reshape(5, 100, 3):
        assert_same_policy(policy, student, observed, alone=0)


@written
def test_bounds_beyond_float32_become_infinite(export: Exporter, tmp_path: Path) -> None:
    low, high = [-1e39, 0.0], [1.0, 1e39]
    student = GaussianStudent(wide_outputs(), low, high)
    assert_same_policy(export(student, tmp_path, SEEN[0]), student, SEEN[:50])
    with pytest.raises(ValueError, match=r"squashed .* expected bounds that float32 holds"):
        export(GaussianStudent(wide_outputs(), low, high, squashed=True), tmp_path, SEEN[0])


@written
def test_actor_critic_exports_actor(export: Exporter, tmp_path: Path) -> None:
    actor = GaussianStudent(wide_outputs(), *BOUNDS, squashed=True)
    files = []
    for one in (actor, ActorCritic(actor, MLP((3,), 1))):
        assert_same_policy(export(one, tmp_path, SEEN[0]), actor, SEEN[:10])
        (file,) = tmp_path.iterdir()
        files.append(file.read_bytes())
    assert files[0] == files[1]


@every_exporter
@pytest.mark.parametrize("squashed", [False, True])
def test_exports_evaluate_and_watch_as_student(
    export: Exporter, squashed: bool, tmp_path: Path
) -> None:
    def returns_of(policy: Any) -> Any:
        envs = gym.vector.SyncVectorEnv([BoxClock] * 3)
        return evaluate(policy, envs, 12, gamma=1, seed=0, deterministic=False).undiscounted

    student = GaussianStudent(MLP((2,), 4, 5, seed=2), [-1, -2], [1, 4], squashed=squashed)
    policy = export(student, tmp_path, np.zeros(2, dtype=np.float32))
    np.testing.assert_allclose(returns_of(policy), returns_of(student), atol=1e-5)
    observed = next(FixedPolicyAgent(BoxClock(), policy, "it", seed=0).steps())
    np.testing.assert_allclose(observed.action, student.act(observed.observation), atol=1e-5)
    with pytest.raises(ValueError, match=r"does not fit .*gaussian actions where"):
        FixedPolicyAgent(gym.make("CartPole-v1"), policy, "it")
    wrong = export(GaussianStudent(student.inner, [-1, -2], [1, 5]), tmp_path, np.zeros(2, "f4"))
    with pytest.raises(ValueError, match=r"a policy of actions from .* to \[1.0, 5.0\]"):
        FixedPolicyAgent(BoxClock(), wrong, "it")


# -- their files -------------------------------------------------------------------------------


def test_file_reports_student_size(tmp_path: Path) -> None:
    student = GaussianStudent(wide_outputs(), *BOUNDS)
    save_student(tmp_path / "s.safetensors", student)
    policy = load_policy(tmp_path / "s.safetensors")
    assert_same_policy(policy, student, SEEN[:10])
    assert policy.num_parameters == student.num_parameters
    assert policy.multiply_adds((3,)) == student.multiply_adds((3,))


def test_actor_critic_file_loads_actor(tmp_path: Path) -> None:
    student = ActorCritic(MLP((3,), 5, 8, seed=2), MLP((3,), 1))
    save_student(tmp_path / "s.safetensors", student)
    policy = open_policy(tmp_path / "s.safetensors").policy
    assert check_parity(student, policy, SEEN).same_actions == len(SEEN)
    assert policy.num_parameters == student.actor.num_parameters


def test_load_policy_names_part_needing_torch(tmp_path: Path) -> None:
    student = ActorCritic(make_student("residual", channels=4, blocks=1), MLP((3, 5, 5), 1))
    with pytest.raises(
        StudentFileError, match="of kind 'actor_critic' with one of kind 'residual', which needs"
    ):
        build_policy(to_stored(student))


@pytest.mark.parametrize("part", [None, "mlp", {}, {"kind": "gaussian"}, {"kind": "mlp"}])
def test_load_policy_refuses_damaged_config(part: Any) -> None:
    stored = to_stored(GaussianStudent(MLP((3,), 4, 8), *BOUNDS))
    with pytest.raises(StudentFileError):
        build_policy(stored._replace(config={**stored.config, "inner": part}))
    with pytest.raises(StudentFileError, match="4 outputs; expected 2"):
        build_policy(stored._replace(config={**stored.config, "low": [0.0], "high": [1.0]}))
