"""Experiments: one module each, with its configuration, run, plot and summary.

`benchmark` compares any agents in any environments.
"""

from typing import TYPE_CHECKING

from dynamaze.common.deprecation import lazy_package

if TYPE_CHECKING:
    from .studies.benchmark import Results as Results
    from .studies.benchmark import benchmark as benchmark

__all__, __getattr__, __dir__ = lazy_package(
    __name__, {"Results": ".studies.benchmark", "benchmark": ".studies.benchmark"}
)
