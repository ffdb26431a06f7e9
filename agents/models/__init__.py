"""Models of the world: what learns from real experience and gives simulated experience."""

from __future__ import annotations

from dynamaze.messages import did_you_mean

from .bonus import TimeBonus
from .latest import LatestOutcome
from .likelihood import MaximumLikelihood
from .nothing import NoModel
from .protocol import CAPABILITIES, Model, Outcomes, Prediction
from .stored import StoredExperience
from .table import TableModel

__all__ = [
    "CAPABILITIES",
    "MODELS",
    "LatestOutcome",
    "MaximumLikelihood",
    "Model",
    "NoModel",
    "Outcomes",
    "Prediction",
    "StoredExperience",
    "TableModel",
    "TimeBonus",
    "make_model",
]

MODELS: dict[str, type[LatestOutcome | MaximumLikelihood | StoredExperience]] = {
    "latest_outcome": LatestOutcome,
    "maximum_likelihood": MaximumLikelihood,
    "stored_experience": StoredExperience,
}
"""Name -> model, for the `model` argument of the agents."""


def make_model(
    model: str | Model, num_states: int, num_actions: int, *, include_untried: bool = False
) -> Model:
    """The model of that name, or the model itself.

    Raises:
        ValueError: if there is none of that name, naming those that are, or if the model is for
            another number of states or actions.
        TypeError: if it is neither a name nor a model.
    """
    if isinstance(model, str):
        if model not in MODELS:
            raise ValueError(
                f"model={model!r}; expected one of {sorted(MODELS)}{did_you_mean(model, MODELS)}"
            )
        return MODELS[model](num_states, num_actions, include_untried=include_untried)
    if isinstance(model, type):
        raise TypeError(f"model={model!r} is a class; expected an object made of it")
    for name in ("capabilities", "update", "sample"):
        if not hasattr(model, name):
            raise TypeError(
                f"model={model!r} has no {name!r}; expected one of {sorted(MODELS)} or an object "
                "with `capabilities`, `update` and `sample`"
            )
    for name, size in (("num_states", num_states), ("num_actions", num_actions)):
        if getattr(model, name, size) != size:
            raise ValueError(f"model with {name}={getattr(model, name)}; expected {size}")
    return model
