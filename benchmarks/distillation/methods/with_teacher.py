"""Experiments of rewards and a teacher: kickstarting, proximal, critic warm-up, joint training."""

from __future__ import annotations

from functools import partial
from time import process_time

from dynamaze.benchmarks.distillation.methods.harness import (
    NULL,
    Arms,
    Comparison,
    MethodExperiment,
)
from dynamaze.benchmarks.distillation.methods.open_grids import (
    WEAK_PERCENT,
    distilled,
    loop_with_acting_teacher,
    loop_with_rewards,
    new_student,
    percent,
    percents,
    train,
    weak_teacher,
)
from dynamaze.distill.students.mlp import MLP

TASK = (
    "Slippery open 8x8 grids, reward at the goal alone; MLP 32, rollouts of 1,024 steps; the "
    "teacher's training was stopped at 80%; exact return on 40 unseen levels."
)


def kickstarting_trial(
    seed: int, *, rollouts: int = 60, teacher_percent: float = WEAK_PERCENT
) -> Arms:
    """Train with the teacher for half of the environment steps of rewards alone."""
    teacher, half = weak_teacher(seed, teacher_percent), rollouts // 2
    return {
        "teacher": {"return": percent(teacher)},
        "reward": {"return": train(new_student(seed), "ppo", rollouts, seed)},
        "reward, half": {"return": train(new_student(seed), "ppo", half, seed)},
        "kickstarting, half": {
            "return": train(new_student(seed), "kickstarting", half, seed, teacher=teacher)
        },
    }


KICKSTARTING = MethodExperiment(
    name="kickstarting",
    method="kickstarting",
    setting=f"{TASK} Rewards alone: 60 rollouts, and 30; kickstarting: 30.",
    trial=kickstarting_trial,
    comparisons=(
        Comparison("kickstarting, half", "teacher", 5),
        Comparison("kickstarting, half", "reward", 0),
    ),
    runs=8,
    lesson=(
        "A teacher that is far from perfect saves more than half of the environment steps, and "
        "does not limit the student, as rewards count as well."
    ),
    testing={"rollouts": 2, "teacher_percent": 5},
)


def proximal_trial(seed: int, *, rollouts: int = 30, teacher_percent: float = WEAK_PERCENT) -> Arms:
    """Train with the proximal term and without, for the same environment steps."""
    teacher = weak_teacher(seed, teacher_percent)
    return {
        "teacher": {"return": percent(teacher)},
        "reward": {"return": train(new_student(seed), "ppo", rollouts, seed)},
        "proximal": {
            "return": train(new_student(seed), "proximal", rollouts, seed, teacher=teacher)
        },
    }


PROXIMAL = MethodExperiment(
    name="proximal",
    method="proximal",
    setting=f"{TASK} 30 rollouts of each, the term's weight 1 throughout.",
    trial=proximal_trial,
    comparisons=(Comparison("proximal", "reward", 5), Comparison("proximal", "teacher", 5)),
    runs=8,
    lesson=(
        "With rewards a constant pull to a weak teacher need not limit the student: where "
        "advantages are clear they outweigh it."
    ),
    testing={"rollouts": 1, "teacher_percent": 5},
)

FIRST_UPDATES = WARM_UP = 5

TEMPERATURE = 0.1
"""Divides the weak teacher's logits, so that the student acts by samples as it was taught.

At temperature 1 the weak teacher and its student are nearly uniform (entropies of 1.35 of at most
1.39 nats): samples find the goal a tenth as often, and the greedy policy, which is evaluated, turns
on differences of logits that are smaller than PPO's first steps, whatever the critic.
"""


def warm_up_trial(
    seed: int, *, rollouts: int = 30, steps: int = 500, teacher_percent: float = WEAK_PERCENT
) -> Arms:
    """Fine-tune a distilled student by rewards, with the critic trained first and at once."""
    teacher = weak_teacher(seed, teacher_percent)
    start = percent(distilled(teacher, seed, steps, TEMPERATURE))
    arms: Arms = {"distilled": {"return": start, "lowest": start}}
    for arm, warm_up in (("at once", 0), ("critic first", WARM_UP)):
        loop = loop_with_rewards(
            {"student": distilled(teacher, seed, steps, TEMPERATURE)},
            "ppo",
            rollouts + warm_up,
            seed,
            critic_warm_up=warm_up,
        )
        found = list(percents(loop, "student"))[warm_up:]
        arms[arm] = {"return": found[-1], "lowest": min(found[:FIRST_UPDATES])}
    return arms


CRITIC_WARM_UP = MethodExperiment(
    name="critic_warm_up",
    method="ppo",
    setting=(
        f"{TASK} A student that was distilled in 500 steps at temperature {TEMPERATURE} is trained "
        "on by rewards for 30 rollouts, with a new critic; 5 rollouts of the critic alone before. "
        "Lowest: the least return after each of the first 5 updates of the policy."
    ),
    trial=warm_up_trial,
    comparisons=(
        Comparison("critic first", "distilled", -5, NULL, "lowest"),
        Comparison("critic first", "at once", 0, measure="lowest"),
        Comparison("critic first", "at once", -2, NULL),
    ),
    runs=8,
    lesson=(
        "A distilled student has no critic: train one for a few rollouts before the policy moves, "
        "or its errors may undo what was distilled; and distil at a low temperature, for rewards "
        "improve the policy that is sampled."
    ),
    columns=("return", "lowest"),
    testing={"rollouts": 1, "steps": 5, "teacher_percent": 5},
)

JOINT_SIDE, TEACHER_WIDTH = 5, 64
"""Of the experiment of joint training: side of the grids, which PPO solves, and teacher's units."""

JOINT_SHARE = 0.75
"""Rollouts of the joint training, relative to those of each phase of the pipeline."""

INFORMED_WEIGHT = 0.01

SAVED = "CPU saved, %"
"""Measure: CPU time of all training, in percent below that of the pipeline."""


def joint_reward_trial(seed: int, *, rollouts: int = 60) -> Arms:
    """Train a teacher by rewards and a student in turn and at once, from the same weights."""

    def networks() -> tuple[MLP, MLP]:
        return new_student(seed), new_student(seed + 1000, TEACHER_WIDTH)

    follow = partial(loop_with_acting_teacher, seed=seed, side=JOINT_SIDE)
    follow(*networks(), 1).distil()  # loads compiled code, which is not to be timed
    began = process_time()
    student, teacher = networks()
    reward = {"teacher": teacher}
    loop_with_rewards(reward, "ppo", rollouts, seed, sides={"teacher": JOINT_SIDE}).distil()
    follow(student, teacher, rollouts, teacher_rate=0.0).distil()
    pipeline = process_time() - began
    arms: Arms = {"its teacher": {"return": percent(teacher, JOINT_SIDE)}}
    arms["pipeline"] = {"return": percent(student, JOINT_SIDE), SAVED: 0.0}
    for arm, weight in (("joint", 0.0), ("student-informed", INFORMED_WEIGHT)):
        began = process_time()
        student, teacher = networks()
        follow(student, teacher, round(JOINT_SHARE * rollouts), weight=weight).distil()
        saved = 100 * (1 - (process_time() - began) / pipeline)
        arms[f"teacher, {arm}"] = {"return": percent(teacher, JOINT_SIDE)}
        arms[arm] = {"return": percent(student, JOINT_SIDE), SAVED: saved}
    return arms


JOINT_REWARD = MethodExperiment(
    name="joint_reward",
    method="joint_reward",
    setting=(
        "Slippery open 5x5 grids, reward at the goal alone; teacher MLP 64, student MLP 32. "
        "Pipeline: 60 rollouts of 1,024 steps in which the teacher learns by PPO, then 60 of the "
        "fixed teacher, which the student imitates; joint: 45 for both at once. Exact return on 40 "
        "unseen levels."
    ),
    trial=joint_reward_trial,
    comparisons=(
        Comparison("joint", "pipeline", -5, NULL),
        Comparison("joint", "pipeline", 40, measure=SAVED),
        Comparison("student-informed", "joint", -2, NULL),
    ),
    runs=8,
    lesson=(
        "Also where the teacher learns from rewards, a student can follow it from the first step, "
        "on rollouts that are taken in any case."
    ),
    columns=("return", SAVED),
    timed=(SAVED,),
    testing={"rollouts": 1},
)
