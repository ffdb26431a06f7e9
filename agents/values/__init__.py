"""Action values: tables, linear functions and networks, by name."""

from __future__ import annotations

from dynamaze.common.deprecation import lazy_package

__all__, __getattr__, __dir__ = lazy_package(
    __name__,
    {
        "LEARNING_RATES": ".registry",
        "LinearValues": ".linear",
        "NetworkValues": ".network",
        "TableValues": ".table",
        "VALUES": ".registry",
        "Values": ".table",
        "make_values": ".registry",
        "tiles": ".linear",
    },
)
