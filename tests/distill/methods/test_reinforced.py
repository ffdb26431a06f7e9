"""PPO as a method, and the methods that add a guide: exact losses, weights of 0, resume, errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

pytest.importorskip("torch")
import torch

from dynamaze.distill.data.on_policy import OnPolicy
from dynamaze.distill.data.source import FunctionSource
from dynamaze.distill.methods.checks import STEPS, MethodSetting, make_loop, method_report
from dynamaze.distill.methods.reinforced import critic_of
from dynamaze.distill.students.base import Student
from dynamaze.distill.students.composite import GaussianStudent
from dynamaze.distill.students.gru import GRU
from dynamaze.distill.students.mlp import MLP
from dynamaze.distill.students.quantise import quantised
from dynamaze.distill.training.distiller import Distiller
from dynamaze.distill.training.method import Method, Update, make_method
from tests.distill.small_envs import BoxClock, clocks

QUICK = {"epochs": 2, "minibatches": 2, "critic_width": 4}
GUIDED = ("kickstarting", "proximal", "privileged")
COHORT = ("distral", "dual_policy")


def teacher(observations: Any) -> Any:
    """Prefer action 1 in later steps."""
    return np.stack([np.ones(len(observations)), observations[:, 0]], axis=1)


def loop_of(
    method: str,
    *,
    students: int = 1,
    steps: int = 4,
    make: Callable[[int], Student] = lambda number: MLP((2,), 2, 3 + number, seed=number),
    kind: Any = None,
    label: Any = None,
    settings: dict[str, Any] | None = None,
) -> Distiller:
    """Return a loop of students that act in clocks, each in its own."""
    label = teacher if method in GUIDED and label is None else label
    own = {f"s{number}": make(number) for number in range(students)}
    envs = {} if kind is None else {"kind": kind}
    sources = {
        name: OnPolicy(clocks(AutoresetMode.NEXT_STEP, **envs), each, teacher=label, steps=12)
        for name, each in own.items()
    }
    made = make_method(method, **{**QUICK, **(settings or {})})
    return Distiller(own, sources, made, total_steps=steps, learning_rate=1e-2)


def weights_of(loop: Distiller) -> dict[str, Any]:
    return {
        f"{name}/{key}": weight.clone()
        for name, part in loop.parts.items()
        for key, weight in part.module.state_dict().items()
    }


def assert_same(one: dict[str, Any], other: dict[str, Any], but: str = "") -> None:
    names = [name for name in one if not (but and name.startswith(but))]
    assert names
    for name in names:
        assert torch.equal(one[name], other[name]), name


def updates(loop: Distiller) -> list[Update]:
    """Return the updates of a step, none of which is applied."""
    return list(loop.method.step(loop))


# -- PPO -------------------------------------------------------------------------------------------


def test_ppo_learns_rewarded_action() -> None:
    loop = loop_of("ppo", steps=25)
    loop.distil()
    assert loop.student.action_probabilities(np.float32([[0, 4], [2, 5]]))[:, 1].min() > 0.9


def test_first_update_is_the_policy_gradient() -> None:
    loop = loop_of("ppo", settings={"epochs": 1, "minibatches": 1, "entropy_coef": 0.0})
    policy, value = updates(loop)
    assert policy.of == ("s0",)
    assert value.of == (critic_of("s0"),)
    # All ratios are 1 and the advantages are normalised, so that their mean is 0.
    assert policy.terms["policy"].item() == pytest.approx(0.0, abs=1e-5)


def test_policy_gradient_is_that_of_weighted_log_probabilities() -> None:
    settings = {"epochs": 1, "minibatches": 1, "entropy_coef": 0.0}
    loop = loop_of("ppo", settings=settings)
    found = torch.autograd.grad(
        updates(loop)[0].terms["policy"], list(loop.student.parameters()), allow_unused=True
    )
    again = loop_of("ppo", settings=settings)
    rollout = again.method._rollout(again, "s0")  # type: ignore[attr-defined]  # of the same seed
    log_policy = torch.log_softmax(again.student(rollout.batch.observations), dim=1)
    taken = log_policy.gather(1, rollout.batch.extra["action"][:, None])[:, 0]
    gains = (rollout.advantages - rollout.advantages.mean()) / rollout.advantages.std(correction=0)
    loss = -(gains * taken).mean()
    expected = torch.autograd.grad(loss, list(again.student.parameters()))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", ["ppo", *GUIDED])
def test_warm_up_updates_critics_only(method: str) -> None:
    loop = loop_of(method, settings={"critic_warm_up": 2})
    before = weights_of(loop)
    loop.distil(2)
    after = weights_of(loop)
    assert_same(before, after, but="critic/")
    assert not torch.equal(before["critic/s0/layers.0.weight"], after["critic/s0/layers.0.weight"])
    loop.distil(1)
    assert not torch.equal(after["s0/layers.0.weight"], weights_of(loop)["s0/layers.0.weight"])


# -- all methods -----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [*GUIDED, *COHORT])
def test_weight_zero_is_ppo(method: str) -> None:
    students = 2 if method in COHORT else 1
    ppo, other = (
        loop_of(name, students=students, settings=settings)
        for name, settings in (("ppo", {}), (method, {"weight": 0.0}))
    )
    ppo.distil()
    other.distil()
    assert_same(weights_of(ppo), weights_of(other))


@pytest.mark.parametrize("method", ["ppo", *GUIDED, *COHORT])
def test_method_resumes_bit_identically(method: str, tmp_path: Path) -> None:
    def loop() -> Distiller:
        settings = {"critic_warm_up": 1, **({} if method == "ppo" else {"weight": 0.3})}
        return loop_of(method, students=2, settings=settings)

    whole, other = loop(), loop()
    whole.distil(2)
    whole.save(tmp_path / "run")
    whole.distil()
    other.resume(tmp_path / "run").distil()
    assert_same(weights_of(whole), weights_of(other))
    again = loop()
    again.distil(2)
    again.save(tmp_path / "again")
    assert_same(weights_of(whole), weights_of(again.distil()))


@pytest.mark.parametrize("method", [*GUIDED, *COHORT])
def test_terms_are_named_and_weighted(method: str) -> None:
    students = 2 if method in COHORT else 1
    names = set()
    for step in loop_of(method, students=students).steps():
        assert all(np.isfinite(number) for number in step.terms.values())
        names |= {name.rpartition("/")[2] for name in step.terms}
    added = {"dual_policy": "peer", "privileged": "imitation"}.get(method, method)
    assert names == {"policy", "entropy", "value", added}


@pytest.mark.parametrize("method", [*GUIDED, *COHORT])
def test_method_trains_quantised_and_gaussian_students(method: str) -> None:
    def gaussian(number: int) -> Student:
        return GaussianStudent(MLP((2,), 4, 3, seed=number), [-1, -2], [1, 4])

    label = gaussian(7) if method in GUIDED else None
    for make, kind in ((gaussian, BoxClock), (lambda n: quantised(MLP((2,), 2, 3, seed=n)), None)):
        own = label if kind is BoxClock else None
        loop = loop_of(method, students=2, steps=2, make=make, kind=kind, label=own)
        before = weights_of(loop)
        loop.distil()
        after = weights_of(loop)
        for name in loop.students:
            assert any(not torch.equal(before[k], after[k]) for k in before if k.startswith(name))


@pytest.mark.parametrize(
    ("method", "students", "settings", "message"),
    [
        ("distral", 1, {}, "at least 2"),
        ("dual_policy", 1, {}, "at least 2"),
        ("kickstarting", 1, {"weight": -1}, "weight"),
        ("kickstarting", 1, {"until": 0}, "until"),
        ("privileged", 1, {"weight": 1.5}, "weight"),
        ("dual_policy", 2, {"margin": -1}, "margin"),
        ("ppo", 1, {"gamma": 1.5}, "gamma"),
        ("ppo", 1, {"clip_range": 0}, "clip_range"),
        ("ppo", 1, {"critic_warm_up": -1}, "critic_warm_up"),
    ],
)
def test_method_rejects_settings(
    method: str, students: int, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        loop_of(method, students=students, settings=settings)


def test_method_rejects_other_sources() -> None:
    student, other = MLP((2,), 2), MLP((2,), 2, seed=1)
    env = clocks(AutoresetMode.NEXT_STEP)
    with pytest.raises(ValueError, match="acts with another"):
        Distiller(student, OnPolicy(env, other), "ppo", total_steps=1)
    with pytest.raises(TypeError, match="reward"):
        Distiller(
            student, FunctionSource(teacher, lambda rng, progress: None), "ppo", total_steps=1
        )
    with pytest.raises(TypeError, match="without a teacher"):
        Distiller(student, OnPolicy(env, student), "kickstarting", total_steps=1)
    with pytest.raises(TypeError, match="'b' is none"):
        Distiller({"a": student, "b": other}, {"a": OnPolicy(env, student)}, "ppo", total_steps=1)
    with pytest.raises(TypeError, match="recurrent"):
        OnPolicy(env, GRU((2,), 2))
    wide = MLP((1,), 2, seed=2)
    sources = {
        "a": OnPolicy(env, student),
        "b": OnPolicy(env, wide, observation_fn=lambda seen: seen[:, :1]),
    }
    with pytest.raises(ValueError, match="'b' has the spaces"):
        Distiller({"a": student, "b": wide}, sources, "distral", total_steps=1)


# -- guides ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", GUIDED)
def test_divergence_from_an_equal_teacher_is_zero(method: str) -> None:
    twin = MLP((2,), 2, 3, seed=0)
    loop = loop_of(method, label=twin, settings={"until": None, "weight": 0.5})
    for update in updates(loop):
        for name in {"kickstarting", "proximal", "imitation"} & set(update.terms):
            assert update.terms[name].item() == pytest.approx(0.0, abs=1e-6)


def test_imitation_alone_has_no_reward_term() -> None:
    loop = loop_of("privileged", settings={"weight": 1.0, "epochs": 1, "minibatches": 1})
    policy, _ = updates(loop)
    assert set(policy.terms) == {"imitation"}
    again = loop_of("privileged", settings={"weight": 1.0})
    batch = again.draw()
    expected = again.supervised("s0", again.answers("s0", batch.observations), batch)
    assert policy.terms["imitation"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_weight_falls_to_zero_and_the_teacher_rests() -> None:
    calls: list[int] = []

    def counted(observations: Any) -> Any:
        calls.append(len(observations))
        return teacher(observations)

    student = MLP((2,), 2)
    source = OnPolicy(clocks(AutoresetMode.NEXT_STEP), student, steps=12)
    method = make_method("kickstarting", weight=2.0, until=0.5, **QUICK)
    loop = Distiller(student, source, method, total_steps=4, teacher=counted)
    assert [method.weight_now(progress) for progress in (0, 0.25, 0.5, 1)] == [2, 1, 0, 0]  # type: ignore[attr-defined]
    loop.distil()
    assert len(calls) == 2


def test_rewards_of_distral_are_near_the_centroid() -> None:
    loop = loop_of("distral", students=2, make=lambda n: MLP((2,), 2, 3, seed=n))
    method: Any = loop.method
    first, second = (loop.draw_unlabelled(name) for name in loop.students)
    # The centroid begins as a copy of the first student.
    torch.testing.assert_close(method.rewards(loop, "s0", first), first.extra["reward"])
    centroid = torch.log_softmax(loop.students["s0"](second.observations), dim=1)
    own = torch.log_softmax(loop.students["s1"](second.observations), dim=1)
    ratio = (own - centroid).gather(1, second.extra["action"][:, None])[:, 0]
    expected = second.extra["reward"] - method.weight * ratio
    torch.testing.assert_close(method.rewards(loop, "s1", second), expected.detach())


def test_dual_policy_follows_only_better_peers() -> None:
    settings = {"epochs": 1, "minibatches": 1, "weight": 0.5}
    loop = loop_of("dual_policy", students=3, settings=settings)
    with torch.no_grad():
        for value, name in enumerate(loop.students):  # critics of constant values 0, 1 and 2
            last = loop.parts[critic_of(name)].module.layers[-1]  # type: ignore[union-attr, index]
            last.weight.zero_()
            last.bias.fill_(float(value))
    policies = [update for update in updates(loop) if "policy" in update.terms]
    terms = {update.of[0]: update.terms["peer"].item() for update in policies}
    assert terms["s2"] == 0.0
    for name in ("s0", "s1"):
        again = loop_of("dual_policy", students=3)
        seen = [again.draw_unlabelled(each).observations for each in again.students]
        observations = seen[list(again.students).index(name)]
        peer, own = (
            torch.log_softmax(again.students[each](observations), dim=1) for each in ("s2", name)
        )
        expected = 0.5 * (peer.exp() * (peer - own)).sum(dim=1).mean()
        assert terms[name] == pytest.approx(expected.item(), rel=1e-5)


# -- promises --------------------------------------------------------------------------------------


def clock_setting() -> MethodSetting:
    """Return students of clocks and a network as their teacher; `clock_loop` makes the sources."""
    students: dict[str, Student] = {"a": MLP((2,), 2, 3, seed=1), "b": MLP((2,), 2, 4, seed=2)}
    return MethodSetting(
        "clock",
        students,
        MLP((2,), 2, 8, seed=3),
        FunctionSource(teacher, lambda rng, progress: rng.random((4, 2))),
    )


def clock_loop(method: Method, setting: MethodSetting) -> Distiller:
    """Return a loop whose students act in clocks; other settings as they are."""
    if setting.kind != "clock":
        return make_loop(method, setting)
    sources: Any = {
        name: OnPolicy(clocks(AutoresetMode.NEXT_STEP), each, teacher=setting.teacher, steps=4)
        for name, each in setting.students.items()
    }
    return Distiller(setting.students, sources, method, total_steps=STEPS, device="cpu")


@pytest.mark.parametrize("name", ["ppo", *GUIDED, *COHORT])
def test_promises_of_methods(name: str) -> None:
    report = method_report(
        lambda: make_method(name, **QUICK),
        setting=clock_setting,
        loop=clock_loop,
        expected_failures={
            "weight_zero_is_the_default": "without a weight it is PPO, not soft targets"
        }
        if name != "ppo"
        else None,
    )
    assert not report.failures, report
