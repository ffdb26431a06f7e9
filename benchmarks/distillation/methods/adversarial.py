"""Experiment of adversarial distillation, with the teacher's logits and from its actions alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from statistics import fmean

from dynamaze.benchmarks.distillation.methods.harness import (
    NULL,
    RETURN,
    Arms,
    Comparison,
    MethodExperiment,
)
from dynamaze.benchmarks.distillation.soft_labels import (
    FEW_LABELS,
    few_label_states,
    initial_student,
    label_dataset,
)
from dynamaze.distill.methods.adversarial import Adversarial
from dynamaze.distill.training.distiller import Distiller
from dynamaze.distill.training.method import Method

STEPS, BATCH, LAST = 2500, 256, 100
"""Training steps, states of a batch, and last steps, of which a critic's mistakes are averaged."""

MISTAKES = "mistakes, %"
"""Answers that the critic assigns wrongly at the end; 50 is chance."""

SOFT, ADVERSARIAL, ACTIONS = "soft targets alone", "adversarial", "actions alone"
SHARE, CHANCE = "90% of soft targets", "an accuracy of 60%"

LEARNING_RATE, CRITIC_RATE = 1e-3, 3e-3
"""Step sizes; the critic's is larger, so that it follows the student."""

METHODS: dict[str, Callable[[], Method]] = {
    SOFT: Method,
    ADVERSARIAL: lambda: Adversarial(0.1, learning_rate=CRITIC_RATE),
    ACTIONS: lambda: Adversarial(1.0, actions_only=True, learning_rate=CRITIC_RATE),
}


def trial(seed: int, *, steps: int = STEPS) -> Arms:
    """Train with each method on the same states, and evaluate on other levels."""
    known, unseen = few_label_states()
    labels = replace(label_dataset(known, FEW_LABELS), batch_size=BATCH)
    arms: Arms = {}
    for name, make in METHODS.items():
        method = make()
        distiller = Distiller(
            initial_student(labels, FEW_LABELS, seed),
            labels,
            method,
            total_steps=steps,
            learning_rate=LEARNING_RATE,
            device="cpu",
            seed=seed,
        )
        accuracies: deque[float] = deque(maxlen=LAST)
        for _ in distiller.steps():
            accuracies.extend(getattr(method, "accuracies", {}).values())
        logits = distiller.student.action_logits(unseen.observations)
        arms[name] = {RETURN: 100 * unseen.normalised_return(logits)}
        if accuracies:
            arms[name][MISTAKES] = 100 * (1 - fmean(accuracies))
    arms[SHARE] = {RETURN: 0.9 * arms[SOFT][RETURN]}
    arms[CHANCE] = {MISTAKES: 40.0}
    return arms


EXPERIMENT = MethodExperiment(
    name="adversarial",
    method="adversarial",
    setting=(
        "All 18,900 states of 300 slippery open grids of 8x8, an MLP of 32 units, "
        f"{STEPS} steps of {BATCH} states; with the teacher's logits, or with its sampled actions "
        "alone. Evaluation in all states of 40 unseen levels."
    ),
    trial=trial,
    comparisons=(
        Comparison(ADVERSARIAL, SOFT, -3.0, NULL),
        Comparison(ADVERSARIAL, CHANCE, 0.0, measure=MISTAKES),
        Comparison(ACTIONS, SHARE, 0.0),
    ),
    runs=8,
    lesson=(
        "Where the teacher's logits are known, a critic adds nothing to them; where only its "
        "actions are seen, it is a loss that works."
    ),
    columns=(RETURN, MISTAKES),
    testing={"steps": 2},
)
