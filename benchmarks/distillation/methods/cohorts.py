"""Experiments of several learners with rewards and no teacher: peers, and a centroid of tasks."""

from __future__ import annotations

import numpy as np

from dynamaze.benchmarks.distillation.methods.harness import (
    NULL,
    Arms,
    Comparison,
    MethodExperiment,
)
from dynamaze.benchmarks.distillation.methods.open_grids import (
    ENVS,
    loop_with_rewards,
    new_student,
    percent,
    train,
)

MEMBERS = 3


def dual_policy_trial(seed: int, *, rollouts: int = 45) -> Arms:
    """Train a cohort alone and with each other, and one learner with all environment steps."""
    arms: Arms = {}
    for arm, method in (("alone", "ppo"), ("peers", "dual_policy")):
        cohort = {
            f"student {number}": new_student(MEMBERS * seed + number) for number in range(MEMBERS)
        }
        loop_with_rewards(cohort, method, rollouts, seed).distil()
        found = [percent(student) for student in cohort.values()]
        arms[arm] = {"return": float(np.mean(found)), "worst": min(found)}
    controls: dict[str, tuple[int, dict[str, int]]] = {
        "one, larger rollouts": (rollouts, {"envs": MEMBERS * ENVS}),
        "one, more rollouts": (MEMBERS * rollouts, {}),
    }
    for arm, (count, settings) in controls.items():
        control = train(new_student(MEMBERS * seed), "ppo", count, seed, **settings)
        arms[arm] = {"return": control, "worst": control}
    return arms


DUAL_POLICY = MethodExperiment(
    name="dual_policy",
    method="dual_policy",
    setting=(
        "Slippery open 8x8 grids, reward at the goal alone; three learners (MLP 32) of 45 rollouts "
        "of 1,024 steps each, alone or following a peer where its critic promises more; the "
        "controls have all their steps: 45 rollouts of 3,072, or 135 of 1,024. Exact return on 40 "
        "unseen levels; worst: of the worst member."
    ),
    trial=dual_policy_trial,
    comparisons=(
        Comparison("peers", "alone", 10),
        Comparison("peers", "alone", 15, measure="worst"),
    ),
    runs=8,
    lesson=(
        "Peers learn faster than each alone, but one learner with all their environment steps is "
        "far ahead: use peers only where rollouts cannot be put together."
    ),
    columns=("return", "worst"),
    testing={"rollouts": 1},
)

SIDES = {"4x4": 4, "6x6": 6, "8x8": 8}
"""Tasks: sides of the grids."""


def distral_trial(seed: int, *, rollouts: int = 30) -> Arms:
    """Train a student for each task, with a centroid and without."""
    arms: Arms = {}
    for arm, method in (("alone", "ppo"), ("distral", "distral")):
        students = {
            name: new_student(len(SIDES) * seed + number) for number, name in enumerate(SIDES)
        }
        loop_with_rewards(students, method, rollouts, seed, sides=SIDES).distil()
        found = {name: percent(students[name], side) for name, side in SIDES.items()}
        arms[arm] = {"return": float(np.mean(list(found.values()))), **found}
    return arms


DISTRAL = MethodExperiment(
    name="distral",
    method="distral",
    setting=(
        "Three tasks, slippery open grids of 4x4, 6x6 and 8x8 cells, reward at the goal alone; an "
        "MLP 32 for each, 30 rollouts of 1,024 steps; exact return on 40 unseen levels of its task."
    ),
    trial=distral_trial,
    comparisons=(
        Comparison("distral", "alone", -10, NULL),
        Comparison("distral", "alone", -10, NULL, "8x8"),
    ),
    runs=8,
    lesson="A centroid of all tasks is worth its cost only where it helps the hardest of them.",
    columns=("return", *SIDES),
    testing={"rollouts": 1},
)
