"""Models of the environment, learned from real experience; they generate simulated experience."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from dynamaze.common.validation import did_you_mean

from ..core.encoders import DISCRETE, VECTORS, Vectors
from ..core.spaces import TableRows
from .latest import ForgettingLatest, LatestOutcome
from .learned import LearnedModel
from .likelihood import ForgettingLikelihood, MaximumLikelihood
from .null import NullModel
from .protocol import CAPABILITIES, Model, Outcomes, Prediction
from .registry import LEARNED_MODELS
from .regression import RegressionModel
from .scored import ScoredModel
from .stored import ForgettingExperience, StoredExperience
from .table import TableModel
from .tabular_adapter import TabularAdapter
from .time_bonus import TimeBonus
from .uncertainty_bonus import UncertaintyBonus
from .vector_memory import StoredVectors

__all__ = [
    "CAPABILITIES",
    "LEARNED_MODELS",
    "MODELS",
    "TABLE_MODELS",
    "ForgettingExperience",
    "ForgettingLatest",
    "ForgettingLikelihood",
    "LatestOutcome",
    "MaximumLikelihood",
    "Model",
    "NullModel",
    "Outcomes",
    "Prediction",
    "RegressionModel",
    "ScoredModel",
    "StoredExperience",
    "StoredVectors",
    "TableModel",
    "TabularAdapter",
    "TimeBonus",
    "UncertaintyBonus",
    "make_model",
    "model_for",
]

TABLE_MODELS: dict[str, type[TableModel[Any]]] = {
    "latest_outcome": LatestOutcome,
    "maximum_likelihood": MaximumLikelihood,
    "stored_experience": StoredExperience,
    "forgetting_latest_outcome": ForgettingLatest,
    "forgetting_maximum_likelihood": ForgettingLikelihood,
    "forgetting_stored_experience": ForgettingExperience,
}
"""Name -> model of discrete states and actions that looks up a table."""

MODELS: dict[str, type[TableModel[Any]] | LearnedModel] = {**TABLE_MODELS, **LEARNED_MODELS}
"""Name -> model, for the `model` argument of the agents."""


def make_model(
    model: str | Model, num_states: int, num_actions: int, *, include_untried: bool = False
) -> Model:
    """Return the model of that name for a number of discrete states, or the model itself.

    Raises:
        ValueError: for an unknown name, or a model for another number of states or actions.
        TypeError: if it is neither a name nor a model.
    """
    return model_for(
        model,
        spaces.Discrete(num_states),
        num_actions,
        observes=DISCRETE,
        include_untried=include_untried,
    )


def model_for(
    model: str | Model,
    space: spaces.Space[Any],
    num_actions: int,
    *,
    observes: str,
    include_untried: bool = False,
    seed: np.random.SeedSequence | None = None,
) -> Model:
    """Return the model of that name for an environment, or the model itself.

    Args:
        model: a name of `MODELS`, or a model object.
        space: the environment's observation space.
        num_actions: number of actions.
        observes: "discrete" for values in a table, "vectors" for function approximation.
        include_untried: allow draws of untried actions of visited states; needs discrete
            observations.
        seed: seed of randomly initialised learners.

    Raises:
        ValueError: for an unknown name, or a model for another number of states or actions.
        TypeError: if it is neither a name nor a model, or does not fit the values.
    """
    if not isinstance(model, str):
        given: Model = _checked(model, space, num_actions, observes)
        return given
    if model not in MODELS:
        raise ValueError(
            f"model={model!r}; expected one of {sorted(MODELS)}{did_you_mean(model, MODELS)}"
        )
    if observes == VECTORS:
        return _on_vectors(model, Vectors(space), num_actions, seed)
    if model in LEARNED_MODELS:
        made: Model = LEARNED_MODELS[model].on_rows(
            Vectors(space), num_actions, seed, include_untried=include_untried
        )
        return made
    rows = TableRows(space).size
    return TABLE_MODELS[model](rows, num_actions, include_untried=include_untried)


def _on_vectors(
    name: str, vectors: Vectors, num_actions: int, seed: np.random.SeedSequence | None
) -> Model:
    if name in LEARNED_MODELS:
        made: Model = LEARNED_MODELS[name].on_vectors(vectors, num_actions, seed)
        return made
    if name == "stored_experience":
        return StoredVectors(vectors.size, num_actions)
    raise TypeError(
        f"model={name!r} is a table, and these values see vectors; expected one of "
        f'{sorted({"stored_experience", *LEARNED_MODELS})}, or values="table" where the '
        "observations can be numbered"
    )


def _checked(model: Any, space: spaces.Space[Any], num_actions: int, observes: str) -> Any:
    if isinstance(model, type):
        raise TypeError(f"model={model!r} is a class; expected an object made of it")
    for name in ("capabilities", "update", "sample"):
        if not hasattr(model, name):
            raise TypeError(
                f"model={model!r} has no {name!r}; expected one of {sorted(MODELS)} or an object "
                "with `capabilities`, `update` and `sample`"
            )
    if observes == VECTORS:
        if hasattr(model, "num_states"):
            raise TypeError(f"model {type(model).__name__} has rows; these values see vectors")
        sizes = {"size": Vectors(space).size, "num_actions": num_actions}
    else:
        sizes = {"num_states": TableRows(space).size, "num_actions": num_actions}
    for name, size in sizes.items():
        if getattr(model, name, size) != size:
            raise ValueError(f"model with {name}={getattr(model, name)}; expected {size}")
    return model
