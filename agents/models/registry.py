"""Models by name; each is imported when it is first used."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from dynamaze.common.registry import Registry

from ..core.encoders import DISCRETE, VECTORS, Vectors
from ..core.spaces import TableRows
from .protocol import Model

_TABLES: dict[str, Any] = {
    "latest_outcome": ".latest:LatestOutcome",
    "maximum_likelihood": ".likelihood:MaximumLikelihood",
    "stored_experience": ".stored:StoredExperience",
    "forgetting_latest_outcome": ".latest:ForgettingLatest",
    "forgetting_maximum_likelihood": ".likelihood:ForgettingLikelihood",
    "forgetting_stored_experience": ".stored:ForgettingExperience",
}

_LEARNED: dict[str, Any] = {
    "linear": ".learned:LINEAR",
    "recursive_linear": ".learned:RECURSIVE_LINEAR",
    "bayesian_linear": ".learned:BAYESIAN_LINEAR",
    "gaussian_process": ".learned:GAUSSIAN_PROCESS",
    "deep_belief": ".learned:DEEP_BELIEF",
    "ensemble": ".learned:ENSEMBLE",
}

TABLE_MODELS: Registry[Any] = Registry("model", _TABLES, __package__)
"""Name -> model of discrete states and actions that looks up a table."""

LEARNED_MODELS: Registry[Any] = Registry("model", _LEARNED, __package__)
"""Name -> `LearnedModel`: learner, draws and features of the model."""

MODELS: Registry[Any] = Registry("model", {**_TABLES, **_LEARNED}, __package__)
"""Name -> model, for the `model` argument of the agents."""

VECTOR_MODELS: Registry[Any] = Registry(
    "model", {"stored_experience": ".vector_memory:StoredVectors"}, __package__
)
"""Name -> model of vectors without a learner."""


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
        return _checked(model, space, num_actions, observes)
    kind = MODELS.find(model)
    made: Model
    if observes != VECTORS and model in TABLE_MODELS:
        made = kind(TableRows(space).size, num_actions, include_untried=include_untried)
    elif observes != VECTORS:
        vectors = Vectors(space)
        made = kind.on_rows(vectors, num_actions, seed, include_untried=include_untried)
    elif model in LEARNED_MODELS:
        made = kind.on_vectors(Vectors(space), num_actions, seed)
    elif model in VECTOR_MODELS:
        made = VECTOR_MODELS[model](Vectors(space).size, num_actions)
    else:
        raise TypeError(
            f"model={model!r} is a table, and these values see vectors; expected one of "
            f'{sorted([*VECTOR_MODELS, *LEARNED_MODELS])}, or values="table" where the '
            "observations can be numbered"
        )
    return made


def _checked(model: Any, space: spaces.Space[Any], num_actions: int, observes: str) -> Model:
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
    checked: Model = model
    return checked
