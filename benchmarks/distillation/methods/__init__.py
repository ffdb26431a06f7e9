"""Experiments of distillation methods, by name: what each method is for, or that it gives nothing.

`dynamaze distill methods [NAME ...]` runs them (`command`); `harness` has their interface.
"""

from __future__ import annotations

from dynamaze.common.registry import Registry

from .harness import MethodExperiment

EXPERIMENTS: Registry[MethodExperiment] = Registry(
    "experiment",
    {
        "joint": ".joint:EXPERIMENT",
        "privileged": ".privileged:EXPERIMENT",
    },
    __package__,
)
"""Name -> experiment, imported when it is first used."""
