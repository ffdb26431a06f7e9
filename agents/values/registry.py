"""Names of action values, and the values of a name for an environment's spaces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dynamaze.common.registry import Registry

from ..core.rng import Seed, as_sequence
from ..core.spaces import Spaces
from .table import Values

VALUES: Registry[Callable[..., Values]] = Registry(
    "values",
    {
        "table": ".table:table_values",
        "tile_coding": ".linear:tile_coding_values",
        "network": ".network:network_values",
    },
    __package__,
)
"""Name -> function that makes the values of an environment's spaces."""

LEARNING_RATES = {"table": 0.1, "tile_coding": 0.1, "network": 1e-3}
"""Name -> default learning rate."""


def make_values(
    values: str | Values,
    spaces: Spaces,
    *,
    learning_rate: float,
    gamma: float,
    initial_value: float,
    seed: Seed,
) -> Values:
    """Return the action values of that name, or the values themselves.

    Raises:
        ValueError: for an unknown name.
        TypeError: for unsupported spaces, or an object that is not action values.
    """
    if not isinstance(values, str):
        given: Values = _checked(values)
        return given
    make = VALUES.find(values, otherwise="an object with `values` and `update`")
    return make(
        spaces,
        as_sequence(seed),
        learning_rate=learning_rate,
        gamma=gamma,
        initial_value=initial_value,
    )


def default_learning_rate(values: str | Values) -> float:
    """Return the learning rate of values of which none is given."""
    return LEARNING_RATES.get(values, 0.1) if isinstance(values, str) else 0.1


def _checked(values: Any) -> Any:
    if isinstance(values, type):
        raise TypeError(f"values={values!r} is a class; expected an object made of it")
    for name in ("values", "update"):
        if not hasattr(values, name):
            raise TypeError(
                f"values={values!r} has no {name!r}; expected one of {list(VALUES)} or an object "
                "with `values` and `update`"
            )
    return values
