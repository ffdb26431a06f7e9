"""Command `dynamaze distill teacher-ppo`: a large teacher trained from rewards alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from rich.console import Console

from dynamaze.benchmarks.distillation.mazes import (
    ENVIRONMENT,
    TRAINING,
    HeldOut,
    evaluate_policy,
)
from dynamaze.benchmarks.distillation.training import (
    TeacherTrainingConfig,
    begin_training,
    checkpoint_path,
    print_evaluation,
    save_network,
    tracked,
)
from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.common.optional_imports import optional_import
from dynamaze.common.options import OutputFile, Range
from dynamaze.common.storage import CheckpointError, read_checkpoint, write_checkpoint
from dynamaze.common.validation import checked_integer
from dynamaze.distill.core.observations import CELL_FEATURES
from dynamaze.distill.students.conv import split_planes
from dynamaze.distill.students.residual import Residual
from dynamaze.distill.training.parts import check_weights, restore_tensors
from dynamaze.distill.training.state import pack_state, unpack_state
from dynamaze.envs.generation import MazeGenerator

optional_import("stable_baselines3", extra="distill", purpose="a teacher trained by PPO")
from stable_baselines3 import PPO  # noqa: E402  # after the message
from stable_baselines3.common.policies import ActorCriticPolicy  # noqa: E402
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor  # noqa: E402

from dynamaze.benchmarks.distillation.ppo_vec_env import MazeVecEnv  # noqa: E402

LEARNING_RATE = 1e-3
SETTINGS: dict[str, Any] = {
    "n_steps": 32,
    "batch_size": 1024,
    "n_epochs": 3,
    "gamma": 0.97,
    "ent_coef": 0.005,
}
"""Differences from the defaults of Stable-Baselines3."""

NUM_ENVS, NUM_OPEN_MAZES = 256, 64
"""Environments, and mazes that are shared by them at a time."""

INITIAL_DISTANCE = 2
"""Largest distance from the goal at which episodes begin at first."""

SUCCESS_THRESHOLD = 0.9
"""Success rate above which episodes begin farther away."""

MIN_EPISODES = 2 * NUM_ENVS
"""Smallest number of episodes over which the success rate is measured."""

CHECKPOINT_INTERVAL = 20
"""Rollouts between two checkpoints."""


@dataclass(frozen=True)
class TeacherPPOConfig(TeacherTrainingConfig):
    """Train a large teacher for generated mazes by PPO of Stable-Baselines3.

    A residual network of 1.26 million parameters, as in `dynamaze distill teacher`, but without
    labels: it learns from a reward at the goal. Random actions hardly ever reach a distant goal; so
    a curriculum begins episodes near the goal, and farther away whenever the success rate exceeds
    nine of ten. A GPU is used if there is one. A stopped run continues from its checkpoint: with
    its weights, Adam's state, steps and distance, in new environments.

    It prints its success rate in mazes of held-out levels. There are just 100,352 mazes of 7x7, so
    some of them occurred in training too, though seldom with the same goal.
    """

    output: OutputFile = Path("teacher-ppo.safetensors")
    steps: Annotated[int, Range(1, limit=10**12)] = 3_000_000
    """Steps of all environments together."""
    channels: Annotated[int, Range(1, limit=512)] = 128
    blocks: Annotated[int, Range(1, limit=64)] = 4
    size: Annotated[int, Range(3, limit=101)] = 7
    """Side of the mazes, which are perfect ones; the network accepts other sizes too."""


def main(config: TeacherPPOConfig) -> None:
    """Train, evaluate and save a teacher.

    Raises:
        ValueError: for a number outside its range, or a checkpoint of other settings.
        OSError: if the output folder cannot be written.
    """
    torch.set_num_threads(1)  # the feature maps are small: more threads would mostly wait
    console = begin_training(config)
    network = train(config, console)
    result = evaluate_policy(network, HeldOut.generate(MazeGenerator(config.size), config.mazes))
    mazes = f"perfect {config.size}x{config.size}"
    print_evaluation(console, mazes, result)
    save_network(
        config.output,
        network,
        console,
        made=f"By `dynamaze distill teacher-ppo --size {config.size} --steps {config.steps} --seed "
        f"{config.seed}`, from rewards alone.",
        environment={**ENVIRONMENT, "size": config.size},
        results={mazes: result},
    )


def train(config: TeacherPPOConfig, console: Console) -> Residual:
    """Return the trained network, continued from the checkpoint beside its file if there is one."""
    training, path = PPOTraining(config), checkpoint_path(config.output)
    if path.exists():
        training.resume(path)
        console.print(f"continuing from step {training.steps_done}, from {path}")
    max_distance = training.max_distance
    left = -(-(config.steps - training.steps_done) // training.rollout)
    rollouts = tracked(training.rollouts(), "training the teacher", left, console)
    for number, success in enumerate(rollouts, 1):
        if training.max_distance != max_distance:
            max_distance = training.max_distance
            console.print(
                f"step {training.steps_done}: success rate {success:.0%}; now from up to "
                f"{max_distance} steps away"
            )
        if number % CHECKPOINT_INTERVAL == 0 or number == left:
            training.save(path)
    return training.network.cpu().eval()


# -- the network -------------------------------------------------------------------------------


class PlanesFeatures(BaseFeaturesExtractor):
    """Features of a `Residual` at the agent's cell.

    One pass computes the features of all cells of a maze, so each distinct maze of a batch is
    passed once, whatever the number of agents in it.

    Args:
        observation_space: (3, rows, cols) planes.
        network: the settings of `Residual`.
    """

    def __init__(self, observation_space: Any, network: dict[str, int]) -> None:
        super().__init__(observation_space, CELL_FEATURES)
        self.network = Residual(**network)

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """Return (batch, 64) features for (batch, 3, rows, cols) planes, each with one agent."""
        maze, queried = split_planes(observations)
        different, which = torch.unique(maze.flatten(1), dim=0, return_inverse=True)
        planes = observations.new_zeros(len(different), *observations.shape[1:])
        planes[:, 0], planes[:, 2] = different.view(-1, *maze.shape[1:]).unbind(1)
        cells, _ = self.network.features(planes)
        _, row, col = queried.nonzero(as_tuple=True)
        return cells[which, :, row, col]


class PlanesPolicy(ActorCriticPolicy):
    """Actions and values as linear functions of `PlanesFeatures`."""

    action_net: torch.nn.Linear

    def student(self) -> Residual:
        """Return the network of the actions' logits; its weights are the policy's own."""
        network: Residual = self.features_extractor.network  # type: ignore[assignment]
        heads = self.action_net.state_dict()
        network.last.load_state_dict({**heads, "weight": heads["weight"][:, :, None, None]})
        return network


# -- training ----------------------------------------------------------------------------------


class PPOTraining:
    """PPO with a curriculum of start distances.

    Attributes:
        model: the algorithm.
        envs: its environments.
        max_distance: the present largest distance from the goal at which episodes begin.
        rollout: steps of a rollout.
    """

    def __init__(self, config: TeacherPPOConfig) -> None:
        checked_integer("steps", config.steps, 1)
        self.config, self.max_distance = config, INITIAL_DISTANCE
        self.generator = MazeGenerator(config.size)
        rows, cols = self.generator.shape
        self.largest_distance = rows * cols // 2 + 1
        self.rng = np.random.default_rng(config.seed)
        self.envs = self._make_envs()
        network = {"channels": config.channels, "blocks": config.blocks, "seed": config.seed}
        self.model = PPO(
            PlanesPolicy,
            self.envs,
            learning_rate=lambda _: LEARNING_RATE * max(0.01, 1 - self.steps_done / config.steps),
            policy_kwargs={
                "features_extractor_class": PlanesFeatures,
                "features_extractor_kwargs": {"network": network},
                "net_arch": [],
                "ortho_init": False,  # keeps the network's own initialisation
            },
            seed=config.seed,
            **SETTINGS,
        )
        self.rollout: int = NUM_ENVS * self.model.n_steps

    @property
    def steps_done(self) -> int:
        """Return the steps so far, of all environments together."""
        return self.model.num_timesteps if hasattr(self, "model") else 0

    @property
    def network(self) -> Residual:
        """Return the trained network."""
        network: Residual = self.model.policy.student()  # type: ignore[operator]  # PlanesPolicy
        return network

    def rollouts(self) -> Iterator[float]:
        """Train to the end, a rollout at a time, and yield each rollout's success rate.

        At each yield the state is consistent: it may be saved.
        """
        while self.steps_done < self.config.steps:
            self.envs.sample_mazes()
            self.model.learn(self.rollout, reset_num_timesteps=False)
            success = self.envs.successes / max(1, self.envs.episodes)
            self.update_curriculum(success)
            yield success

    def update_curriculum(self, success: float) -> None:
        """Begin episodes farther from the goal if the success rate is high enough."""
        if self.envs.episodes < MIN_EPISODES:
            return
        self.envs.episodes = self.envs.successes = 0
        if success > SUCCESS_THRESHOLD and self.max_distance < self.largest_distance:
            self.max_distance = min(
                self.largest_distance, self.max_distance + max(1, self.max_distance // 4)
            )
            self._replace_envs()

    def save(self, path: Path) -> None:
        """Write a checkpoint, atomically and without pickle.

        Raises:
            OSError: if the file cannot be written; an older one stays unchanged.
        """
        policy = self.model.policy
        state = {
            "weights": policy.state_dict(),
            "optimizer": policy.optimizer.state_dict()["state"],
            "steps": self.steps_done,
            "reach": self.max_distance,
        }
        # "reach" and "of" are the names of 0.1, whose checkpoints stay readable.
        arrays, document = pack_state(state)
        write_checkpoint(
            path, arrays, {"kind": "teacher_ppo", "of": self._settings(), "state": document}
        )

    def resume(self, path: Path) -> None:
        """Continue from a file of `save`, in new environments.

        Raises:
            dynamaze.common.storage.CheckpointError: (a ValueError) for a file that is truncated,
                damaged, or of other settings.
        """
        arrays, document = read_checkpoint(path)
        if document.get("kind") != "teacher_ppo" or document.get("of") != self._settings():
            raise CheckpointError(
                f"{path} holds {document.get('kind')!r} of {document.get('of')}; expected "
                f"'teacher_ppo' of {self._settings()}"
            )
        policy: Any = self.model.policy
        try:
            state = unpack_state(arrays, document["state"])
            steps = checked_integer("steps", state["steps"], 0)
            reach = checked_integer("reach", state["reach"], 1)
            check_weights(policy, state)
            restore_tensors(policy, policy.optimizer, state)
        except Exception as error:  # a forged state raises many types of errors
            raise CheckpointError(f"{path} holds no state of this teacher: {error}") from None
        self.model.num_timesteps, self.max_distance = steps, reach
        self.rng = np.random.default_rng([self.config.seed, self.steps_done])
        self._replace_envs()

    def _settings(self) -> dict[str, int]:
        """Return the settings that a checkpoint belongs to."""
        names = ("size", "steps", "channels", "blocks", "seed")
        return {name: getattr(self.config, name) for name in names}

    def _replace_envs(self) -> None:
        self.envs = self._make_envs()
        self.model.set_env(self.envs)

    def _make_envs(self) -> MazeVecEnv:
        return MazeVecEnv(
            self.generator,
            TRAINING,
            self.max_distance,
            num_envs=NUM_ENVS,
            num_open=NUM_OPEN_MAZES,
            rng=self.rng,
        )


if __name__ == "__main__":
    run_script(__file__)
