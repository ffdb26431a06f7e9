"""Experiments of distillation methods, by name: what each method is for, or that it gives nothing.

`dynamaze distill methods [NAME ...]` runs them (`command`); `harness` has their interface.
"""

from __future__ import annotations

from dynamaze.common.registry import Registry

from .harness import MethodExperiment

EXPERIMENTS: Registry[MethodExperiment] = Registry(
    "experiment",
    {
        "adversarial": ".adversarial:EXPERIMENT",
        "born_again": ".born_again:EXPERIMENT",
        "codistillation": ".codistillation:EXPERIMENT",
        "codistillation_workers": ".codistillation_workers:EXPERIMENT",
        "confidence_weighted": ".confidence_weighted:EXPERIMENT",
        "critic_warm_up": ".with_teacher:CRITIC_WARM_UP",
        "curriculum": ".curriculum:EXPERIMENT",
        "data_free": ".data_free:EXPERIMENT",
        "dataset": ".dataset:EXPERIMENT",
        "distral": ".cohorts:DISTRAL",
        "dual_policy": ".cohorts:DUAL_POLICY",
        "hints": ".structured:HINTS",
        "holistic": ".structured:HOLISTIC",
        "joint": ".joint:EXPERIMENT",
        "joint_reward": ".with_teacher:JOINT_REWARD",
        "kickstarting": ".with_teacher:KICKSTARTING",
        "layerwise": ".layerwise:EXPERIMENT",
        "mutual": ".mutual:DISJOINT",
        "mutual_same_data": ".mutual:SAME_DATA",
        "pairwise": ".structured:PAIRWISE",
        "privileged": ".privileged:EXPERIMENT",
        "proximal": ".with_teacher:PROXIMAL",
        "synthetic_mazes": ".synthetic_mazes:EXPERIMENT",
    },
    __package__,
)
"""Name -> experiment, imported when it is first used."""
