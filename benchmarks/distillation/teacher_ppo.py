"""`dynamaze distill teacher-ppo`: a large teacher of mazes that learns from rewards alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track

from dynamaze.common.optional_imports import optional_import
from dynamaze.common.storage import CheckpointError, read_checkpoint, write_checkpoint
from dynamaze.common.validation import checked_number
from dynamaze.distill.students.conv import split_planes
from dynamaze.distill.students.residual import CELL_FEATURES, Residual
from dynamaze.distill.training.distiller import pack_state, restore_tensors, unpack_state
from dynamaze.envs.generation import MazeGenerator

from .checkpoints import checkpoint, store
from .judging import judge, kept_of
from .mazes import ENVIRONMENT, TRAINING, Held

optional_import("stable_baselines3", extra="distill", purpose="a teacher trained by PPO")
from stable_baselines3 import PPO  # noqa: E402  # after the message
from stable_baselines3.common.policies import ActorCriticPolicy  # noqa: E402
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor  # noqa: E402

from .ppo_vec_env import MazeWorlds  # noqa: E402

LEARNING_RATE = 1e-3
SETTINGS: dict[str, Any] = {
    "n_steps": 32,
    "batch_size": 1024,
    "n_epochs": 3,
    "gamma": 0.97,
    "ent_coef": 0.005,
}
"""What differs from the defaults of Stable-Baselines3."""

WORLDS, AT_ONCE = 256, 64
"""Worlds that are played in, and mazes that are open to them at a time."""

FIRST_REACH = 2
"""How far from the goal episodes begin at first, at most."""

ENOUGH = 0.9
"""The share of episodes that must end at the goal before they begin farther away."""

JUDGED_BY = 2 * WORLDS
"""Episodes by which that is judged."""

KEPT_EVERY = 20
"""Rollouts between two checkpoints."""


@dataclass(frozen=True)
class TeacherPPO:
    """Train a large teacher for generated mazes by PPO of Stable-Baselines3.

    A residual network of 1.26 million parameters, as of `dynamaze distill teacher`, but nobody
    tells it what is best: it plays, and is paid at the goal. Where the goal is far, playing at
    random finds nothing; so episodes begin near the goal, and farther away whenever nine of ten
    end there. A GPU is used if there is one. A run that was stopped goes on from its checkpoint:
    with its weights, Adam's memory, steps and distance, in new worlds.

    With the defaults 97.5% of all ways in 7x7 mazes of held-out levels ended at the goal (return
    kept: 98.1% to 98.9%), after six minutes on one core; in 9x9 ones, larger than any it had seen,
    79%. There are just 100,352 mazes of 7x7, so that some of them were seen in training too, if
    seldom with the same goal.
    """

    output: Path = Path("teacher-ppo.safetensors")
    """The file of the weights; a page about them is written beside it, and while it trains a
    checkpoint."""
    size: int = 7
    """Side of the mazes, which are perfect ones; it answers in those of other sizes too."""
    steps: int = 3_000_000
    """Steps in all worlds together."""
    channels: int = 128
    """Width of the network."""
    blocks: int = 4
    """Its depth, in blocks of two convolutions."""
    seed: int = 0
    """Settles every number."""
    mazes: int = 500
    """Held-out mazes on which it is judged, from every cell."""


def main(config: TeacherPPO) -> None:
    """Train, judge and store a teacher.

    Raises:
        ValueError: for a number outside its range, or a checkpoint of other settings.
        OSError: if the output folder cannot be written.
    """
    checked_number("mazes", config.mazes, 2, whole=True)
    torch.set_num_threads(1)  # the maps are small: more threads mostly wait for each other
    console = Console()
    config.output.parent.mkdir(parents=True, exist_ok=True)
    network = train(config, console)
    verdict = judge(network, Held.of(MazeGenerator(config.size), config.mazes))
    kept = kept_of(verdict)
    console.print(
        f"on held-out levels {verdict.success:.2%} of all ways end at the goal; return kept of the "
        f"best possible: {kept}"
    )
    store(
        config.output,
        network,
        console,
        made=f"By `dynamaze distill teacher-ppo --size {config.size} --steps {config.steps} --seed "
        f"{config.seed}`, from rewards alone.",
        environment={**ENVIRONMENT, "size": config.size},
        kept=kept,
    )


def train(config: TeacherPPO, console: Console) -> Residual:
    """The network, trained to the end; from the checkpoint beside its file, if there is one."""
    training, path = Training(config), checkpoint(config.output)
    if path.exists():
        training.resume(path)
        console.print(f"going on from step {training.steps_done}, from {path}")
    reach = training.reach
    left = -(-(config.steps - training.steps_done) // training.rollout)
    told = track(training.rollouts(), "training the teacher", total=left, console=console)
    for number, success in enumerate(told, 1):
        if training.reach != reach:
            reach = training.reach
            console.print(
                f"step {training.steps_done}: {success:.0%} reached the goal; now from up to "
                f"{reach} steps away"
            )
        if number % KEPT_EVERY == 0 or number == left:
            training.save(path)
    return training.network.cpu().eval()


# -- the network -------------------------------------------------------------------------------


class PlanesFeatures(BaseFeaturesExtractor):
    """What a `Residual` knows of the agent's cell.

    It answers for all cells of a maze in one pass, so each maze of a batch is seen once, however
    many agents there are in it.

    Args:
        observation_space: (3, rows, cols) planes.
        network: the settings of `Residual`.
    """

    def __init__(self, observation_space: Any, network: dict[str, int]) -> None:
        super().__init__(observation_space, CELL_FEATURES)
        self.network = Residual(**network)

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """(batch, 64) features for (batch, 3, rows, cols) planes, each with one agent."""
        maze, asked = split_planes(observations)
        different, which = torch.unique(maze.flatten(1), dim=0, return_inverse=True)
        planes = observations.new_zeros(len(different), *observations.shape[1:])
        planes[:, 0], planes[:, 2] = different.view(-1, *maze.shape[1:]).unbind(1)
        cells, _ = self.network.features(planes)
        _, row, col = asked.nonzero(as_tuple=True)
        return cells[which, :, row, col]


class PlanesPolicy(ActorCriticPolicy):
    """Actions and values as linear functions of `PlanesFeatures`."""

    action_net: torch.nn.Linear

    def student(self) -> Residual:
        """The network that gives the actions' logits; its weights are the policy's own."""
        network: Residual = self.features_extractor.network  # type: ignore[assignment]
        heads = self.action_net.state_dict()
        network.last.load_state_dict({**heads, "weight": heads["weight"][:, :, None, None]})
        return network


# -- training ----------------------------------------------------------------------------------


class Training:
    """PPO in mazes that become harder.

    Attributes:
        model: the algorithm.
        worlds: what it plays in.
        reach: how far from the goal episodes begin now, at most.
        rollout: steps of a rollout.
    """

    def __init__(self, config: TeacherPPO) -> None:
        checked_number("steps", config.steps, 1, whole=True)
        self.config, self.reach = config, FIRST_REACH
        self.recipe = MazeGenerator(config.size)
        rows, cols = self.recipe.shape
        self.farthest = rows * cols // 2 + 1
        self.rng = np.random.default_rng(config.seed)
        self.worlds = self._new_worlds()
        network = {"channels": config.channels, "blocks": config.blocks, "seed": config.seed}
        self.model = PPO(
            PlanesPolicy,
            self.worlds,
            learning_rate=lambda _: LEARNING_RATE * max(0.01, 1 - self.steps_done / config.steps),
            policy_kwargs={
                "features_extractor_class": PlanesFeatures,
                "features_extractor_kwargs": {"network": network},
                "net_arch": [],
                "ortho_init": False,  # it would undo the network's own
            },
            seed=config.seed,
            **SETTINGS,
        )
        self.rollout: int = WORLDS * self.model.n_steps

    @property
    def steps_done(self) -> int:
        """Steps so far, in all worlds together."""
        return self.model.num_timesteps if hasattr(self, "model") else 0

    @property
    def network(self) -> Residual:
        """What has been learned."""
        network: Residual = self.model.policy.student()  # type: ignore[operator]  # PlanesPolicy
        return network

    def rollouts(self) -> Iterator[float]:
        """Train to the end, a rollout at a time; gives the share of episodes that end at the goal.

        At each yield everything is whole: it may be saved.
        """
        while self.steps_done < self.config.steps:
            self.worlds.open_mazes()
            self.model.learn(self.rollout, reset_num_timesteps=False)
            success = self.worlds.reached / max(1, self.worlds.ended)
            self.go_on(success)
            yield success

    def go_on(self, success: float) -> None:
        """Begin farther from the goal, if it is time."""
        if self.worlds.ended < JUDGED_BY:
            return
        self.worlds.ended = self.worlds.reached = 0
        if success > ENOUGH and self.reach < self.farthest:
            self.reach = min(self.farthest, self.reach + max(1, self.reach // 4))
            self._change_worlds()

    def save(self, path: Path) -> None:
        """Write a checkpoint, atomically and without pickle.

        Raises:
            OSError: if the file cannot be written; an older one stays as it was.
        """
        policy = self.model.policy
        state = {
            "weights": policy.state_dict(),
            "optimizer": policy.optimizer.state_dict()["state"],
            "steps": self.steps_done,
            "reach": self.reach,
        }
        arrays, document = pack_state(state)
        write_checkpoint(path, arrays, {"kind": "teacher_ppo", "of": self._of(), "state": document})

    def resume(self, path: Path) -> None:
        """Go on from what `save` wrote, in new worlds.

        Raises:
            dynamaze.common.storage.CheckpointError: (a ValueError) for a file that is cut short,
                damaged, or of other settings.
        """
        arrays, document = read_checkpoint(path)
        if document.get("kind") != "teacher_ppo" or document.get("of") != self._of():
            raise CheckpointError(
                f"{path} holds {document.get('kind')!r} of {document.get('of')}; expected "
                f"'teacher_ppo' of {self._of()}"
            )
        state = unpack_state(arrays, document["state"])
        policy: Any = self.model.policy
        restore_tensors(policy, policy.optimizer, state)
        self.model.num_timesteps, self.reach = state["steps"], state["reach"]
        self.rng = np.random.default_rng([self.config.seed, self.steps_done])
        self._change_worlds()

    def _of(self) -> dict[str, int]:
        """The settings that a checkpoint belongs to."""
        names = ("size", "steps", "channels", "blocks", "seed")
        return {name: getattr(self.config, name) for name in names}

    def _change_worlds(self) -> None:
        self.worlds = self._new_worlds()
        self.model.set_env(self.worlds)

    def _new_worlds(self) -> MazeWorlds:
        return MazeWorlds(
            self.recipe, TRAINING, self.reach, num_envs=WORLDS, at_once=AT_ONCE, rng=self.rng
        )
