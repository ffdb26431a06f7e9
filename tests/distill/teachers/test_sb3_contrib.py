"""Models of SB3-Contrib as teachers, against their own predictions; skipped where it is missing."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import dynamaze  # noqa: F401

pytest.importorskip("stable_baselines3")
pytest.importorskip("sb3_contrib", reason="SB3-Contrib is not installed")
import torch

from dynamaze.benchmarks.harness.agent_runs.interfaces import AgentError
from dynamaze.benchmarks.harness.agent_runs.policy_steps import PredictPolicy
from dynamaze.distill import Distiller, FunctionSource, Rollouts, evaluate, make_student
from dynamaze.distill.core.distributions import distribution_of
from dynamaze.distill.data.playing import EnvStepper, PolicyRunner
from dynamaze.distill.teachers import MultiTeacher, as_teacher, teacher_labels
from dynamaze.distill.teachers.sb3 import ALGORITHMS, load_sb3

from .test_sb3 import BOX, SEEN, THREE, TWO, Still

contrib: Any = import_module("sb3_contrib")
LSTM = {"net_arch": [8], "lstm_hidden_size": 4}
CASES: dict[str, dict[str, Any]] = {
    "QRDQN": {"buffer_size": 10, "policy_kwargs": {"net_arch": [8], "n_quantiles": 5}},
    "TRPO": {},
    "ARS": {"policy": "LinearPolicy"},
    "RecurrentPPO": {"policy": "MlpLstmPolicy", "policy_kwargs": LSTM},
    "MaskablePPO": {},
    "TQC": {"buffer_size": 10, "action": TWO},
    "CrossQ": {"buffer_size": 10, "action": TWO},
}


def make(kind: str, env: Any = None, **more: Any) -> Any:
    given = {**CASES[kind], **more}
    policy, action = given.pop("policy", "MlpPolicy"), given.pop("action", THREE)
    if policy != "LinearPolicy":
        given = {"policy_kwargs": {"net_arch": [8]}, **given}
    given["policy_kwargs"] = dict(given.get("policy_kwargs", {}))  # SB3 modifies it
    torch.manual_seed(0)
    made = getattr(contrib, kind)(policy, env or Still(BOX, action), device="cpu", seed=1, **given)
    if kind == "ARS":  # its weights begin at 0
        torch.nn.init.normal_(next(made.policy.parameters()))
    return made


@pytest.mark.parametrize("kind", ["QRDQN", "TRPO", "ARS"])
def test_discrete_logits_rank_as_predict(kind: str) -> None:
    model = make(kind)
    logits = teacher_labels(model, SEEN, 3)
    actions, _ = model.predict(SEEN, deterministic=True)
    np.testing.assert_array_equal(logits.argmax(axis=1), actions)
    if kind == "QRDQN":
        quantiles = model.policy.quantile_net(torch.tensor(SEEN)).detach().numpy()
        np.testing.assert_allclose(logits, quantiles.mean(axis=1), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(as_teacher(model).state_values(SEEN), logits.max(axis=1))


@pytest.mark.parametrize("kind", ["TQC", "CrossQ", "TRPO", "RecurrentPPO"])
def test_continuous_models_are_gaussian(kind: str) -> None:
    model = make(kind, action=TWO)
    teacher = as_teacher(model)
    mean, log_std = teacher.action_gaussian(SEEN)
    best, _ = model.predict(SEEN, deterministic=True, episode_start=np.ones(5, dtype=bool))
    np.testing.assert_allclose(teacher.bounds.action(mean), best, rtol=1e-5, atol=1e-6)
    assert np.isfinite(log_std).all()
    is_squashed = kind in ("TQC", "CrossQ")
    assert distribution_of(teacher) == ("squashed_gaussian" if is_squashed else "gaussian")


def test_deterministic_actions_are_refused() -> None:
    with pytest.raises(TypeError, match=r"teacher ARS .*no deviation: an object of yours"):
        as_teacher(make("ARS", action=TWO))


@pytest.mark.parametrize(
    "more", [{}, {"enable_critic_lstm": False}, {"enable_critic_lstm": False, "shared_lstm": True}]
)
def test_recurrent_teacher_follows_episodes(more: dict[str, Any]) -> None:
    model = make("RecurrentPPO", policy_kwargs={**LSTM, **more})
    teacher, values = as_teacher(model), as_teacher(model)
    rng, state = np.random.default_rng(0), None
    for step in range(4):
        seen = rng.normal(size=(3, 3)).astype(np.float32)
        starts = np.array([step == 0, step in (0, 2), step == 0])
        teacher.reset(starts)
        values.reset(starts)
        actions, state = model.predict(seen, state, starts, deterministic=True)
        logits = teacher.action_logits(seen)
        np.testing.assert_array_equal(logits.argmax(axis=1), actions)
        np.testing.assert_allclose(np.stack(teacher.memory[1:3]), np.stack(state), atol=1e-6)
        assert values.state_values(seen).shape == (3,)
    # The critic's state is its own.
    np.testing.assert_allclose(np.stack(values.memory[3:]), np.stack(teacher.memory[3:]))
    with pytest.raises(ValueError, match="2 observations, and a state of 3 episodes"):
        teacher.action_logits(SEEN[:2])


def maze(num_envs: int = 2, **more: Any) -> Any:
    more = {"observation": "one_hot", "max_episode_steps": 6, **more}
    return gym.make_vec("DynaMaze-v0", num_envs=num_envs, layout="S.#\n..G", **more)


def test_masks_are_those_of_each_state() -> None:
    single = gym.make("DynaMaze-v0", observation="one_hot", layout="S.#\n..G")
    model = make("MaskablePPO", single)
    stepper = EnvStepper(maze(), 0)
    teacher = as_teacher(model, temperature=1.5)
    runner = PolicyRunner(teacher, lambda seen: teacher_labels(teacher, seen, 4))
    for action in (1, 1, 2):
        logits = runner.outputs(stepper, np.ones(2, dtype=np.bool_))
        masks = stepper.action_masks()
        model_says = (
            model.policy.get_distribution(torch.tensor(stepper.observations), masks)
            .distribution.probs.detach()
            .numpy()
        )
        expected = np.log(np.maximum(model_says, 1e-6)) / 1.5
        np.testing.assert_allclose(logits, expected, rtol=1e-4)
        assert (logits[~masks] < np.log(1e-5) / 1.5).all()
        stepper.step(np.full(2, action))
    with pytest.raises(ValueError, match="without the masks of the states"):
        teacher_labels(model, stepper.observations)
    made = as_teacher(model)
    made.masks = np.ones((1, 4))
    with pytest.raises(ValueError, match=r"masks of shape \(1, 4\); expected \(2, 4\)"):
        made.action_logits(stepper.observations)


@pytest.mark.parametrize("kind", ["RecurrentPPO", "MaskablePPO"])
def test_stateful_teachers_train_and_are_refused_elsewhere(kind: str) -> None:
    single = gym.make("DynaMaze-v0", observation="one_hot", layout="S.#\n..G")
    model = make(kind, single)
    student = make_student("linear", observation_shape=(6,), num_actions=4)
    source = Rollouts(model, maze(), batch_size=16, beta=0.5, student=student)
    recorded: list[float] = []
    Distiller(student, source, total_steps=40, learning_rate=0.1).distil(
        callback=lambda step: recorded.append(step.losses["student"])
    )
    assert recorded[-1] < recorded[0]
    result = evaluate(model, maze(), 4, gamma=0.9, seed=0)
    assert len(result.lengths) == 4
    for refused in (
        lambda: FunctionSource(model, lambda rng, progress: SEEN),
        lambda: MultiTeacher([model], lambda seen: np.zeros(len(seen), dtype=int)),
    ):
        with pytest.raises(TypeError, match=f"teacher {kind} in .*; expected Rollouts or collect"):
            refused()


def test_predictions_of_a_run_are_masked() -> None:
    single = gym.make("DynaMaze-v0", observation="one_hot", layout="S.#\n..G")
    single.reset(seed=0)
    policy = PredictPolicy(make("MaskablePPO", single), single)
    assert {int(policy.act(np.eye(6, dtype=np.float32)[0])) for _ in range(30)} == {1, 2}
    still = Still(BOX, THREE)
    with pytest.raises(AgentError, match="MaskablePPO needs action masks"):
        PredictPolicy(make("MaskablePPO"), still)


@pytest.mark.parametrize("kind", CASES)
def test_load_sb3_knows_algorithm(kind: str, tmp_path: Path) -> None:
    model = make(kind)
    model.save(tmp_path / "teacher.zip")
    with pytest.warns(UserWarning, match="may run any code"):
        loaded = load_sb3(tmp_path / "teacher.zip", kind)
    assert type(loaded).__name__ == kind
    assert ALGORITHMS[kind] is type(model)
    with pytest.raises(ValueError, match=f"holds a model of {kind}; expected PPO"):
        load_sb3(tmp_path / "teacher.zip", "PPO")
