"""Arguments that ask for more memory or time than there is: refused, by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from dynamaze.agents import (
    PLANNERS,
    ContinuousTreeSearch,
    Dyna2,
    DynaQ,
    ForgettingExperience,
    ForgettingLatest,
    ForwardSearch,
    LatestOutcome,
    LinearDyna,
    LinearEvaluation,
    MonteCarloSearch,
    NetworkValues,
    OneHotFeatures,
    RadialBases,
    SparseSampling,
    TableValues,
    TDSearch,
    TileCoding,
    TrajectoryOptimisation,
    TrajectorySettings,
    TreeSearch,
    TreeSettings,
)
from dynamaze.agents.learners import (
    DeepBelief,
    GaussianProcess,
    ProbabilisticEnsemble,
    TrainingSettings,
)

CONTINUOUS = "DynaMazeContinuous-v0"
RATES = {"learning_rate": 0.1, "gamma": 0.9}


def network_values(**arguments: Any) -> NetworkValues:
    return NetworkValues([0, 0], [1, 1], 4, rng=np.random.default_rng(0), **arguments)


def of_layers(make: Callable[..., Any]) -> Callable[..., Any]:
    return lambda hidden: make(2, 2, hidden=(hidden,))


@pytest.mark.parametrize("number", [10**12, 10**20])
@pytest.mark.parametrize(
    ("make", "argument"),
    [
        *((partial(DynaQ, "DynaMaze-v0", planning=name), "planning_steps") for name in PLANNERS
          if name != "dynamic_programming"),
        (partial(LinearDyna, "DynaMaze-v0"), "planning_steps"),
        (partial(LinearEvaluation, step_size=0.1, gamma=0.9), "num_features"),
        (partial(LinearEvaluation, 2, step_size=0.1, gamma=0.9), "planning_steps"),
        (partial(TreeSearch, "DynaMaze-v0"), "simulations"),
        (TreeSettings, "max_nodes"),
        (partial(Dyna2, "DynaMaze-v0"), "simulations"),
        (partial(TDSearch, "DynaMaze-v0"), "simulations"),
        (partial(MonteCarloSearch, "DynaMaze-v0"), "depth"),
        (partial(ForwardSearch, "DynaMaze-v0"), "depth"),
        (partial(SparseSampling, "DynaMaze-v0"), "width"),
        (partial(ContinuousTreeSearch, CONTINUOUS), "simulations"),
        (partial(TrajectoryOptimisation, CONTINUOUS), "horizon"),
        (TrajectorySettings, "num_candidates"),
        (partial(TableValues, num_actions=4, **RATES), "num_states"),
        (partial(TableValues, 4, **RATES), "num_actions"),
        (partial(LatestOutcome, num_actions=4), "num_states"),
        (partial(ForgettingLatest, 4, 4), "window"),
        (partial(ForgettingExperience, 4, 4), "window"),
        (network_values, "hidden"),
        (network_values, "bumps"),
        (partial(RadialBases, [0], [1]), "bumps"),
        (partial(TileCoding, [0], [1]), "tiles"),
        (partial(TileCoding, [0], [1]), "tilings"),
        (OneHotFeatures, "sizes"),
        (partial(GaussianProcess, num_outputs=1), "num_inputs"),
        (partial(GaussianProcess, 1), "num_outputs"),
        (partial(ProbabilisticEnsemble, 1, 1), "members"),
        (of_layers(ProbabilisticEnsemble), "hidden"),
        (of_layers(DeepBelief), "hidden"),
        (partial(DeepBelief, 1, 1), "tuning_steps"),
        (TrainingSettings, "batch_size"),
    ],
)  # fmt: skip
def test_huge_arguments_are_refused(make: Callable[..., Any], argument: str, number: int) -> None:
    with pytest.raises(ValueError, match=rf"^{argument}=|, {argument}="):
        make(**{argument: number})


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda: ProbabilisticEnsemble(2, 2, hidden=(10**5, 10**5)), "hidden"),
        (lambda: network_values(hidden=10**5), "hidden"),
        (lambda: LinearEvaluation(10**5, step_size=0.1, gamma=0.9), "num_features"),
        (
            lambda: TrajectoryOptimisation(
                CONTINUOUS, settings=TrajectorySettings(num_candidates=10**6, particles=100)
            ),
            "num_candidates",
        ),
    ],
)
def test_large_products_are_refused(make: Callable[[], Any], argument: str) -> None:
    with pytest.raises(ValueError, match=f"{argument}.* too large"):
        make()
