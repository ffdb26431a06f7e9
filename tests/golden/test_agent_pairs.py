"""Tests that the golden cases of agents cover all that is public and all pairs that fit."""

from __future__ import annotations

import pytest

from dynamaze import agents
from dynamaze.agents import Agent, Planning
from dynamaze.agents.models import MODELS
from dynamaze.agents.planning import PLANNERS as PLANNER_NAMES
from dynamaze.agents.values import LEARNING_RATES

from . import cases_agents as cases
from .agent_parts import (
    LEARNERS,
    NAMED,
    NEEDS,
    OBJECTS,
    OTHERS,
    PLANNERS,
    SEARCHERS,
    WORLDS,
    maze,
    model_of,
    point,
)
from .golden import MissingError, needs

# Public classes of models that are made by name: no object of them has a word.
MADE_BY_NAME = {
    agents.ForgettingExperience: "forgetting_stored_experience",
    agents.ForgettingLatest: "forgetting_latest_outcome",
    agents.ForgettingLikelihood: "forgetting_maximum_likelihood",
    agents.LatestOutcome: "latest_outcome",
    agents.MaximumLikelihood: "maximum_likelihood",
    agents.TabularAdapter: "linear",
    agents.RegressionModel: "linear",
    agents.StoredExperience: "stored_experience",
    agents.StoredVectors: "stored_experience",
}


def accepts(make) -> bool:
    """Return True if the code accepts a combination: it is made, and acts."""
    try:
        make().learn(3)
    except (TypeError, ValueError):
        return False
    return True


def is_installed(*words: str) -> bool:
    try:
        needs(*(module for word in words for module in NEEDS.get(word, ())))
    except MissingError:
        return False
    return True


def test_words_cover_all_names():
    assert set(NAMED.values()) == set(MODELS)
    assert set(PLANNERS.values()) == set(PLANNER_NAMES)
    assert set(cases.VALUES.values()) == set(LEARNING_RATES)


def test_words_cover_public_classes():
    public = [getattr(agents, name) for name in agents.__all__]
    classes = {each for each in public if isinstance(each, type)}
    agent_classes = {each for each in classes if issubclass(each, Agent)} - {Agent}
    covered = {cls for cls, _ in (*SEARCHERS.values(), *LEARNERS.values())} | set(OTHERS)
    assert agent_classes == covered

    planners = {each for each in classes if issubclass(each, Planning)} - {Planning}
    made = {type(make(1, 0.1)) for make in PLANNER_NAMES.values()}
    assert planners == made

    models = {each for each in classes if hasattr(each, "update") and hasattr(each, "sample")}
    env = maze()
    objects = {type(make(env)) for make in OBJECTS.values()}
    named = {cls for cls in models if MADE_BY_NAME.get(cls) in MODELS}
    assert models - {agents.Model} == objects | named


@pytest.mark.parametrize("model", [*NAMED, *OBJECTS])
def test_cases_cover_each_model_and_planner(model):
    if not is_installed(model):
        pytest.skip("needs a library that is not installed")
    for planner, name in PLANNERS.items():
        env = maze()
        fits = accepts(
            lambda env=env, name=name: agents.DynaQ(
                env, model=model_of(model, env), planning=name, planning_steps=2, seed=0
            )
        )
        assert fits == (f"dyna.{model}.{planner}" in cases.CASES), planner


@pytest.mark.parametrize("agent", [*SEARCHERS, *LEARNERS])
def test_cases_cover_each_agent_and_model(agent):
    cls, arguments = {**SEARCHERS, **LEARNERS}[agent]
    for model in (*NAMED, *OBJECTS, *WORLDS):
        if agent == "dyna" or not is_installed(model):
            continue
        env = maze()
        fits = accepts(
            lambda env=env, model=model: cls(env, model=model_of(model, env), seed=0, **arguments)
        )
        assert fits == (f"{agent}.{model}" in cases.CASES), model


@pytest.mark.parametrize("kind", ["tiles", "network"])
def test_cases_cover_each_kind_of_values_and_model(kind):
    for model in NAMED:
        if not is_installed(kind, model):
            continue
        fits = accepts(
            lambda model=model: agents.DynaQ(
                point(), values=cases.VALUES[kind], model=NAMED[model], planning_steps=2, seed=0
            )
        )
        assert fits == (f"values.{kind}.{model}" in cases.CASES), model


@pytest.mark.parametrize("agent", list(cases.VECTOR_SEARCHERS))
def test_cases_cover_each_search_among_vectors_and_model(agent):
    cls, arguments = cases.VECTOR_SEARCHERS[agent]
    for model in (*NAMED, *WORLDS):
        if not is_installed(model):
            continue
        fits = accepts(
            lambda model=model: cls(
                point(),
                model={**NAMED, **WORLDS}[model],
                values="tile_coding",
                seed=0,
                **arguments,
            )
        )
        assert fits == (f"vectors.{agent}.{model}" in cases.CASES), model


@pytest.mark.parametrize("method", ["cem", "mppi"])
def test_cases_cover_each_model_of_continuous_actions(method):
    settings = agents.TrajectorySettings(num_candidates=4, elites=2, iterations=1)
    for model in (*NAMED, *WORLDS):
        if not is_installed(model):
            continue
        fits = accepts(
            lambda model=model: agents.TrajectoryOptimisation(
                point("continuous"),
                model={**NAMED, **WORLDS}[model],
                method=method,
                values="zero",
                horizon=2,
                settings=settings,
                planning_steps=0,
                seed=0,
            )
        )
        assert fits == (f"{method}.{model}" in cases.CASES), model
