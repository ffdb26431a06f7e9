"""Module of version 0.1; its names are in `benchmarks.harness.agent_runs.compiled_runs` now."""

from __future__ import annotations

from dynamaze.common.deprecation import moved_names

PLACES = {
    "Runs": "dynamaze.benchmarks.harness.agent_runs.compiled_runs.RunResults",
    "run_many": "dynamaze.benchmarks.harness.agent_runs.compiled_runs.run_many",
}
"""Old name -> present name."""

__getattr__ = moved_names(__name__, PLACES)
