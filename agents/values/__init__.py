"""Action values: tables, linear functions and networks, by name."""

from __future__ import annotations

from typing import Any

import numpy as np

from dynamaze.common.validation import did_you_mean

from ..core.encoders import Vectors
from ..core.features import Features, Identity, TileCoding
from ..core.rng import make_generator
from ..core.spaces import Spaces, TableRows, count_actions
from .linear import LinearValues
from .network import NetworkValues
from .table import TableValues, Values

NETWORK = 4
"""Index of the random stream for the initial weights of networks."""

LEARNING_RATES = {"table": 0.1, "tile_coding": 0.1, "network": 1e-3}
"""Name -> default learning rate."""

TILES, TILINGS = 8, 8
"""Tile coding of a box, as in Sutton & Barto 2018, section 10.1."""

MAX_TILED = 4
"""Largest dimension of a tiled box."""

MAX_BUMPED = 32
"""Largest dimension with radial bases along each coordinate; images have many more."""


def make_values(
    values: str | Values,
    spaces: Spaces,
    *,
    learning_rate: float,
    gamma: float,
    initial_value: float,
    seed: np.random.SeedSequence,
) -> Values:
    """Return the action values of that name, or the values themselves.

    Raises:
        ValueError: for an unknown name.
        TypeError: for unsupported spaces, or an object that is not action values.
    """
    if not isinstance(values, str):
        given: Values = _checked(values)
        return given
    if values not in LEARNING_RATES:
        raise ValueError(
            f"values={values!r}; expected one of {sorted(LEARNING_RATES)}"
            f"{did_you_mean(values, LEARNING_RATES)}"
        )
    num_actions, _ = count_actions(spaces.action)
    numbers: dict[str, Any] = {
        "learning_rate": learning_rate,
        "gamma": gamma,
        "initial_value": initial_value,
    }
    if values == "table":
        return TableValues(_rows(spaces).size, num_actions, **numbers)
    vectors = Vectors(spaces.observation)
    if values == "tile_coding":
        return LinearValues(tiles(vectors), num_actions, size=vectors.size, **numbers)
    has_bumps = not vectors.is_one_hot and vectors.size <= MAX_BUMPED
    if not has_bumps:
        numbers["bumps"] = 0
    rng = make_generator(seed, NETWORK)
    return NetworkValues(vectors.low, vectors.high, num_actions, rng=rng, **numbers)


def tiles(vectors: Vectors) -> Features:
    """Return the tile coding of an environment's vectors; one-hot vectors are used directly.

    Raises:
        TypeError: for a box without bounds, or of too many dimensions.
    """
    if vectors.is_one_hot:
        return Identity(vectors.size)
    bounded = bool(np.isfinite(vectors.low).all() and np.isfinite(vectors.high).all())
    if not bounded or vectors.size > MAX_TILED:
        raise TypeError(
            f"observation space {vectors.space}; tile coding needs bounds and at most {MAX_TILED} "
            'numbers; values="network" has no such limit'
        )
    # A coordinate with a single value still needs a box of positive width.
    high = np.where(vectors.high > vectors.low, vectors.high, vectors.low + 1)
    return TileCoding(vectors.low, high, tiles=TILES, tilings=TILINGS)


def _rows(spaces: Spaces) -> TableRows:
    try:
        return TableRows(spaces.observation)
    except TypeError as error:
        raise TypeError(f'{error}; or give values="tile_coding" or values="network"') from None


def _checked(values: Any) -> Any:
    if isinstance(values, type):
        raise TypeError(f"values={values!r} is a class; expected an object made of it")
    for name in ("values", "update"):
        if not hasattr(values, name):
            raise TypeError(
                f"values={values!r} has no {name!r}; expected one of {sorted(LEARNING_RATES)} or "
                "an object with `values` and `update`"
            )
    return values
