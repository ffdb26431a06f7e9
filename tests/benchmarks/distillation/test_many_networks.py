"""Networks that are trained at once: each is what it would be alone."""

import numpy as np
import pytest

pytest.importorskip("torch")
import torch

from dynamaze.benchmarks.distillation.many_networks import ManyNetworks
from dynamaze.benchmarks.distillation.mazes import HeldOut
from dynamaze.benchmarks.distillation.synthetic_mazes import as_planes, random_mazes
from dynamaze.distill.students.value_iteration import ValueIterationNetwork
from dynamaze.distill.training.parts import linear_decay
from dynamaze.envs.generation import MazeGenerator
from dynamaze.envs.generation.planes import ShortestPathPolicy, steps_to_goal

SETTINGS = {"steps": 12, "learning_rate": 0.05}


def test_training_is_that_of_the_student() -> None:
    planes = np.stack([as_planes(random_mazes(np.random.default_rng(seed))) for seed in (0, 0)])
    networks = ManyNetworks((3, 4))
    networks.train(planes, rng=np.random.default_rng(7), **SETTINGS)
    held_out = HeldOut.generate(MazeGenerator(9, "prim", loops=1.0), 5)
    rates = networks.success(held_out.planes)
    labels = torch.as_tensor(ShortestPathPolicy().action_probabilities(planes[0])).float()
    for at, seed in enumerate((3, 4)):
        alone = ValueIterationNetwork(seed=seed)
        train_alone(alone, planes[0], labels)
        for name, weight in alone.named_parameters():
            found = networks.weights[f"network.{name}"][at]
            torch.testing.assert_close(found, weight, rtol=1e-3, atol=1e-4)
        actions = alone.action_logits(held_out.planes).argmax(1)
        assert rates[at] == pytest.approx((steps_to_goal(held_out.planes, actions) >= 0).mean())


def train_alone(network: ValueIterationNetwork, planes: np.ndarray, labels: torch.Tensor) -> None:
    """Train one network by its own rules, with the same random numbers."""
    rng, steps = np.random.default_rng(7), SETTINGS["steps"]
    adam = torch.optim.Adam(network.parameters(), SETTINGS["learning_rate"])
    for step in range(steps):
        outputs = network.training_outputs(torch.as_tensor(planes), step / steps, rng)
        losses = [
            (each.weights * -(labels * each.logits.log_softmax(1)).sum(1)).sum()
            / each.weights.sum()
            for each in outputs
        ]
        adam.zero_grad()
        (torch.stack(losses).mean() + network.penalty(step / steps)).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        adam.param_groups[0]["lr"] = SETTINGS["learning_rate"] * linear_decay(step / steps)
        adam.step()
