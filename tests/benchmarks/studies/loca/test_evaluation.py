"""The evaluation of agents by LoCA, and their classification."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dynamaze.agents import DynaQ
from dynamaze.benchmarks.harness.analysis.table import rows_where
from dynamaze.benchmarks.studies.loca.evaluation import (
    EpisodeEvaluator,
    ExactEvaluator,
    classify_adaptation,
    evaluate_loca,
    make_evaluator,
    run_agent,
)
from dynamaze.benchmarks.studies.loca.protocol import LoCAProtocol
from dynamaze.benchmarks.studies.loca.reference_returns import (
    exact_mdps,
    reference_returns,
)

from .example_agents import SHORT, AdaptiveAgent, OptimalAgent, evaluations_of


@pytest.mark.parametrize("task", ["A", "B"])
def test_exact_evaluator_matches_references(task: str) -> None:
    evaluate = ExactEvaluator(SHORT)
    references = reference_returns(exact_mdps(SHORT.make_env()), task, 0.97, 40)
    env = SHORT.make_env()
    other = evaluate(OptimalAgent(env, "AB"[task == "A"]), task)
    assert other == pytest.approx(references.other, abs=1e-12)
    best = evaluate(OptimalAgent(env, task), task)
    # The policy is optimal for an infinite horizon, the reference for 40 steps.
    assert references.optimum - 2e-4 < best <= references.optimum


def test_exact_evaluator_matches_episodes() -> None:
    agent = OptimalAgent(SHORT.make_env(), "A")
    episodes = EpisodeEvaluator(replace(SHORT, evaluation_episodes=3000), 1)
    # Returns deviate by less than 0.9: a mean of 3000 is beyond 6 deviations once in 5e8 times.
    assert episodes(agent, "B") == pytest.approx(ExactEvaluator(SHORT)(agent, "B"), abs=0.1)


def test_classification_of_known_agents() -> None:
    turns = evaluate_loca(AdaptiveAgent, SHORT)
    assert turns["step"].tolist() == [*range(50, 401, 50)] * 2
    assert turns["phase"].tolist() == [1, 1, 1, 1, 2, 2, 3, 3] * 2
    result = classify_adaptation(turns, SHORT)
    assert (result.adaptive, result.near) == ("yes", ("yes", "yes", "yes"))
    for task, near in (("A", ("yes", "no", "no")), ("B", ("no", "yes", "yes"))):
        stays = classify_adaptation(
            evaluate_loca(lambda env, _, t=task: OptimalAgent(env, t), SHORT), SHORT
        )  # type: ignore[misc]
        assert (stays.adaptive, stays.near) == ("no", near)
        assert stays.scores[1].mean == pytest.approx(float(task == "B"), abs=1e-3)


@pytest.mark.parametrize(
    ("scores", "near", "adaptive"),
    [
        ([[0.95, 0.95, 0.0], [0.951, 0.95, 0.1]], ("yes", "yes", "no"), "yes"),
        ([[0.95, 0.8, 1.0], [0.951, 0.95, 1.0]], ("yes", "undecided", "yes"), "undecided"),
        ([[0.95, 0.1, 1.0], [0.8, 0.1, 1.0]], ("undecided", "no", "yes"), "no"),
        ([[0.5, 0.95, 1.0], [0.5, 0.95, 1.0]], ("no", "yes", "yes"), "no"),
    ],
)
def test_classification_can_be_undecided(
    scores: list[list[float]], near: tuple[str, ...], adaptive: str
) -> None:
    result = classify_adaptation(
        evaluations_of(scores), replace(SHORT, last=0.5)
    )  # of two evaluations the last
    assert (result.near, result.adaptive) == (near, adaptive)
    assert result.scores[0].mean == pytest.approx((scores[0][0] + scores[1][0]) / 2)


def test_classification_needs_two_runs() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        classify_adaptation(rows_where(evaluations_of([[1.0] * 3] * 2), run=0))


def test_run_agent_is_reproducible() -> None:
    def make(env: Any, seed: int) -> DynaQ:
        return DynaQ(env, seed=seed, gamma=0.97)

    first, again = run_agent(make, SHORT, 1), run_agent(make, SHORT, 1)
    assert {name: column.tolist() for name, column in first.items()} == {
        name: column.tolist() for name, column in again.items()
    }


class Broken(OptimalAgent):
    """A valid agent; tests replace one of its attributes."""


@pytest.mark.parametrize(
    ("attribute", "value", "error", "message"),
    [
        ("learn", None, TypeError, "has no method 'learn'"),
        ("predict", 3, TypeError, "has no method 'predict'"),
        ("learn", lambda _, steps: None, ValueError, r"took 0 steps .*; expected 50"),
        (
            "predict",
            lambda *_, **__: (4, None),
            ValueError,
            "gave the action .*4.*; expected one of",
        ),
        ("predict", lambda *_, **__: ([0.5, 1], None), ValueError, "gave the action"),
    ],
)
def test_evaluation_rejects_broken_agents(
    attribute: str,
    value: Any,
    error: type[Exception],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Broken, attribute, value)
    with pytest.raises(error, match=message):
        evaluate_loca(lambda env, _: Broken(env, "A"), SHORT)


def test_sb3_agent_continues_learning() -> None:
    sb3 = pytest.importorskip("stable_baselines3")
    made = []

    def make(env: Any, seed: int) -> Any:
        made.append(
            sb3.DQN(
                "MlpPolicy",
                env,
                seed=seed,
                learning_starts=20,
                train_freq=5,
                policy_kwargs={"net_arch": [4]},
            )
        )
        return made[-1]

    table = run_agent(make, SHORT, 0)
    assert made[0].num_timesteps == 400
    assert table["step"][-1] == 400
    with pytest.raises(ValueError, match=r"learn\(50\) of PPO took 64 steps"):
        run_agent(lambda env, seed: sb3.PPO("MlpPolicy", env, n_steps=64, device="cpu"), SHORT, 0)


def test_evaluator_fits_variant() -> None:
    assert isinstance(make_evaluator(SHORT, 0), ExactEvaluator)
    assert isinstance(make_evaluator(LoCAProtocol("continuous"), 0), EpisodeEvaluator)
