"""Action values: tables, linear functions and networks, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamaze.common.deprecation import lazy_exports

if TYPE_CHECKING:  # type checkers read what is imported on first use
    from .linear import LinearValues, tiles
    from .network import NetworkValues
    from .registry import LEARNING_RATES, VALUES, make_values
    from .table import TableValues, Values

__all__ = [
    "LEARNING_RATES",
    "VALUES",
    "LinearValues",
    "NetworkValues",
    "TableValues",
    "Values",
    "make_values",
    "tiles",
]

_LAZY = {
    "LEARNING_RATES": ".registry",
    "LinearValues": ".linear",
    "NetworkValues": ".network",
    "TableValues": ".table",
    "VALUES": ".registry",
    "Values": ".table",
    "make_values": ".registry",
    "tiles": ".linear",
}
"""Name -> module that is imported when the name is first used."""

__getattr__ = lazy_exports(__name__, _LAZY)


def __dir__() -> list[str]:
    return __all__
