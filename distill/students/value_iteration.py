"""Value iteration network (Tamar et al. 2016): one small convolution, iterated."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dynamaze.common.optional_imports import optional_import
from dynamaze.common.validation import checked_integer, checked_number

from ..core.observations import KERNEL, MAZE_ACTIONS, iterations_for
from .base import Student, TrainingOutput
from .conv import at_cells, check_planes, split_planes, walled
from .shapes import check_size

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional  # noqa: E402

SOFTMAX_SCALES, LOGIT_SCALES = (1.0, 5.0), (1.0, 1000.0)
"""Ranges of the softmax scale and of the logit scale, annealed in training from soft to hard."""

ANNEAL_START, GROWTH_END = 0.2, 0.5
"""Progress at which annealing starts, and at which the iterations reach their full number."""

TRAINED_ITERATIONS = 12
"""Maximum number of iterations that enter the loss, the last always among them."""

FRONT_WEIGHT = 5.0
"""Weight of cells whose distance equals the iteration; nearer ones have weight 1."""

LOGIT_CAP = 10.0
"""Approximate maximum of a label's loss in training."""

INITIAL_BIAS, INITIAL_TOP = -0.3, 3.0
"""Initial biases (the cost of a step) and initial `top` (the value of the goal)."""

PathLengths = Callable[[Tensor], Tensor]
"""Function from (batch, 3, rows, cols) observations to (batch, rows, cols) path lengths to a goal,
0 at goals and inf where there is none."""

PRIVILEGED = (
    "training used exact shortest path lengths, from a breadth-first search in the mazes of each "
    "batch: they decide the number of iterations and weigh the loss of the cells"
)
"""Privileged information of the default curriculum."""

PENALTY_WEIGHT, PENALTY_SCALE = 3e-3, 0.1
"""Factor of the sparsity penalty, and the magnitude from which on it grows more slowly."""


class ValueIterationNetwork(Student):
    """Value iteration network for mazes of any size: 28 parameters per channel and one more.

    Suited to unseen mazes of any size that are shown, and to the smallest files.

    With another number of channels than 4 it also has a readout, 4 parameters per channel and 4
    more. As in Tamar et al. (2016), maps of rows and columns are iterated:

        r   = convolution of walls and goals, + bias          rewards
        q_m = r_m + sum over a cell's 3x3 of P_m v            one backup
        v   = min(max over actions of q, top)                 the best action

    Beyond the edge all cells are walls, with the value of the nearest cell of the maze. P_m is a
    softmax of nine numbers, the transition probabilities. They sum to one, so values neither
    explode nor vanish; `top`, the value of the goal, is their only bound. The number of iterations
    grows with the maze; the parameters do not.

    An exact setting exists: each map moves to one side, walls cost much, each step a little, goals
    give `top`. Six things in training find it (each is a constant of this module):

    1. every iteration has a loss, on the cells whose distance it has reached, with more weight on
       those just reached; the others cannot be known yet;
    2. the number of iterations is random and grows;
    3. the scale of the softmax grows from 1 to 5 (annealing);
    4. the scale of the logits grows from 1 to 1000 times q, so that a step may cost little against
       a wall: the ratio of the two costs is the longest detour that is preferred to a wall;
    5. a penalty that grows slowly for large weights, sum of log(1 + |w| / 0.1), removes weights
       that are not needed, whose effect would add up in mazes larger than those of the training;
    6. the loss of a label is at most about 10, so that occasional errors of a teacher network are
       not followed.

    Args:
        maps: number of maps (channels); with 4 each belongs to an action, otherwise each action has
            a weighted mean of the maps, again by a softmax, and a bias.
        iterations: number of iterations; None for an upper bound of the shortest path lengths in
            mazes of the given size (see `iterations_for`).
        scale: scale of the softmax; a buffer, set by training.
        sharpness: scale of the logits; a buffer, set by training.
        curriculum: path lengths for the first two points. True for the shortest ones, by a search:
            privileged information. A function of the observations for others, such as those of the
            teacher's own paths (`teacher_path_lengths`). False for none: the answer after a number
            of iterations that depends on the maze's size alone has equal weight in all cells.
        seed: seed of the initial weights.

    Raises:
        ValueError: for a number outside its range.
        TypeError: for another curriculum.
    """

    scale: Tensor
    sharpness: Tensor

    def __init__(
        self,
        maps: int = MAZE_ACTIONS,
        *,
        iterations: int | None = None,
        scale: float = SOFTMAX_SCALES[1],
        sharpness: float = LOGIT_SCALES[1],
        curriculum: bool | PathLengths = True,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.maps = checked_integer("maps", maps, 1)
        if iterations is not None:
            iterations = checked_integer("iterations", iterations, 1)
        if not isinstance(curriculum, bool) and not callable(curriculum):
            raise TypeError(f"curriculum={curriculum!r}; expected True, False or a function")
        self.iterations, self.curriculum = iterations, curriculum
        self.config = {"kind": "value_iteration", "maps": maps, "iterations": iterations}
        check_size(self.config)
        self.register_buffer("scale", torch.tensor(checked_number("scale", scale, 0, above=True)))
        self.register_buffer(
            "sharpness", torch.tensor(checked_number("sharpness", sharpness, 0, above=True))
        )
        draw = torch.Generator().manual_seed(seed)
        self.move = nn.Parameter(0.05 * torch.randn(maps, KERNEL, generator=draw))
        self.reward = nn.Parameter(0.1 * torch.randn(maps, 2, 3, 3, generator=draw))
        self.bias = nn.Parameter(torch.full((maps,), INITIAL_BIAS))
        self.top = nn.Parameter(torch.full((1,), INITIAL_TOP))
        if maps != MAZE_ACTIONS:
            self.readout = nn.Parameter(0.5 * torch.randn(MAZE_ACTIONS, maps, generator=draw))
            self.readout_bias = nn.Parameter(torch.zeros(MAZE_ACTIONS))

    def iterations_for(self, rows: int, cols: int) -> int:
        """Return the number of iterations for a maze of this size."""
        return self.iterations or iterations_for(rows, cols)

    def forward(self, observations: Tensor) -> Tensor:
        """Return (queries, 4) logits for (batch, 3, rows, cols) planes."""
        maze, queried = split_planes(observations)
        count = self.iterations_for(*maze.shape[2:])
        ((_, q),) = self.iterate(maze, count, (count,))
        return self._logits(q, queried)

    def iterate(
        self, maze: Tensor, count: int, wanted: tuple[int, ...]
    ) -> list[tuple[int, Tensor]]:
        """Return values of the actions after some of the iterations.

        Args:
            maze: (batch, 2, rows, cols) walls and goals.
            count: number of iterations.
            wanted: those that are returned, counted from 1.

        Returns:
            Pairs of an iteration and (batch, actions, rows, cols) values.
        """
        moves = torch.softmax(self.scale * self.move, dim=1).view(self.maps, 1, 3, 3)
        rewards = functional.conv2d(walled(maze), self.reward, self.bias)
        read = None
        if self.maps != MAZE_ACTIONS:
            read = torch.softmax(self.scale * self.readout, dim=1)[:, :, None, None]
        value, top = torch.zeros_like(maze[:, :1]), self.top
        found = []
        for k in range(1, count + 1):
            # Replicated edges: only differences of values matter, however low values have become.
            q = rewards + functional.conv2d(
                functional.pad(value, (1, 1, 1, 1), mode="replicate"), moves
            )
            if read is not None:
                q = functional.conv2d(q, read, self.readout_bias)
            if k in wanted:
                found.append((k, q))
            value = torch.minimum(q.amax(dim=1, keepdim=True), top)
        return found

    def _logits(self, q: Tensor, queried: Tensor) -> Tensor:
        return self.sharpness * at_cells(q, queried)

    # -- training ------------------------------------------------------------------------------

    @property
    def privileged(self) -> str:
        """Sentence on the information beyond labels that training uses; empty if there is none."""
        return PRIVILEGED if self.curriculum is True else ""

    def training_outputs(
        self, observations: Tensor, progress: float, rng: np.random.Generator
    ) -> list[TrainingOutput]:
        """Return the logits after some of the iterations, with weights of the cells by distance.

        Raises:
            ValueError: for mazes without a goal.
        """
        self.scale, self.sharpness = annealed_scales(progress, self.scale)
        maze, queried = split_planes(observations)
        if not self.curriculum:
            most = round(self.iterations_for(*maze.shape[2:]) * min(1.0, progress / GROWTH_END))
            ((_, q),) = self.iterate(maze, max(2, most), (max(2, most),))
            return [TrainingOutput(squashed(self._logits(q, queried)))]
        steps = self.curriculum(observations) if callable(self.curriculum) else steps_to_goal(maze)
        reached = steps[torch.isfinite(steps)]
        if not len(reached):
            raise ValueError("mazes without a goal; expected one in each batch")
        wanted = trained_iterations(int(reached.max()), progress, rng)
        distance = steps[queried]
        return [
            TrainingOutput(squashed(self._logits(q, queried)), front_weights(distance, k))
            for k, q in self.iterate(maze, wanted[-1], wanted)
        ]

    def penalty(self, progress: float) -> Tensor:
        """Return the weighted sum of log(1 + |w| / 0.1) over rewards and biases."""
        penalised = [self.reward, self.bias]
        if self.maps != MAZE_ACTIONS:
            penalised.append(self.readout_bias)
        size = torch.stack(
            [torch.log1p(weight.abs() / PENALTY_SCALE).sum() for weight in penalised]
        ).sum()
        return PENALTY_WEIGHT * annealed(progress) * size

    @property
    def num_outputs(self) -> int:
        """Number of actions in a maze."""
        return MAZE_ACTIONS

    def multiply_adds(self, observation_shape: tuple[int, ...]) -> int:
        """Return the multiply-adds of all iterations, for a maze of this size."""
        rows, cols = check_planes(observation_shape)
        once = self.maps * 2 * KERNEL
        read = 0 if self.maps == MAZE_ACTIONS else MAZE_ACTIONS * self.maps
        again = (self.maps * KERNEL + read) * self.iterations_for(rows, cols)
        return rows * cols * (once + again)


def squashed(logits: Tensor) -> Tensor:
    """Limit each logit's gap to the best of its row to at most `LOGIT_CAP`; their order stays."""
    below = logits.amax(dim=1, keepdim=True) - logits
    return -below / (1 + below / LOGIT_CAP)


def steps_to_goal(maze: Tensor) -> Tensor:
    """Return (batch, rows, cols) shortest path lengths to the nearest goal, inf if unreachable.

    Breadth-first search in all mazes at once.

    Args:
        maze: (batch, 2, rows, cols) walls and goals.
    """
    free, reached = maze[:, 0] < 0.5, maze[:, 1] > 0.5
    steps = torch.where(reached, 0.0, torch.inf)
    for step in range(1, int(free.sum(dim=(1, 2)).max()) + 1):
        padded = functional.pad(reached, (1, 1, 1, 1))
        wave = (
            padded[:, :-2, 1:-1] | padded[:, 2:, 1:-1] | padded[:, 1:-1, :-2] | padded[:, 1:-1, 2:]
        )
        wave &= free & ~reached
        if not wave.any():
            break
        steps[wave] = step
        reached = reached | wave
    return steps


def trained_iterations(furthest: int, progress: float, rng: np.random.Generator) -> tuple[int, ...]:
    """Return the iterations that enter the loss, in order; the last is the last to be computed.

    Args:
        furthest: largest path length in the batch.
        progress: fraction of the training that is done.
        rng: draws them.
    """
    most = max(2, round(2 + (1.5 * furthest - 2) * min(1.0, progress / GROWTH_END) ** 2))
    count = int(rng.integers(max(2, most // 2), most + 1))
    earlier = rng.permutation(np.arange(1, count))[: TRAINED_ITERATIONS - 1]
    return (*sorted(earlier.tolist()), count)


def front_weights(distance: Tensor, iteration: int) -> Tensor:
    """Return the weights of cells by their path lengths; those not reached yet have weight 0."""
    # After k iterations only cells within k steps of a goal can be known.
    return (distance <= iteration).float() + (FRONT_WEIGHT - 1) * (distance == iteration).float()


def annealed(progress: float) -> float:
    """Return the annealing progress in [0, 1]."""
    return max(0.0, (progress - ANNEAL_START) / (1 - ANNEAL_START))


def annealed_scales(progress: float, like: Tensor) -> tuple[Tensor, Tensor]:
    """Return the scales of the softmax and of the logits, as tensors like a given one.

    They are new: outputs of an earlier batch of the same step still need the old ones.
    """
    hardness = annealed(progress)
    softmax_scale = SOFTMAX_SCALES[0] + (SOFTMAX_SCALES[1] - SOFTMAX_SCALES[0]) * hardness
    logit_scale = LOGIT_SCALES[0] * (LOGIT_SCALES[1] / LOGIT_SCALES[0]) ** hardness
    return torch.full_like(like, softmax_scale), torch.full_like(like, logit_scale)
