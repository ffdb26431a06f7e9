"""Student that adapts with frozen weights: value iteration on a map that it draws itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from dynamaze.common.arrays import Float32Array, FloatArray
from dynamaze.common.map_memory import BUMPED, ENTERED, NUM_EVENTS
from dynamaze.common.optional_imports import optional_import
from dynamaze.common.validation import checked_choice, checked_integer, checked_number

from ..core.map_state import OBSERVATION, Grid, MapKeeper, known_grid, map_of
from ..core.observations import (
    AGE_FEATURES,
    KERNEL,
    MAP_FEATURES,
    MAZE_ACTIONS,
    iterations_for,
)
from .base import Student, TrainingOutput
from .conv import at_cells, check_planes
from .value_iteration import (
    GROWTH_END,
    LOGIT_CAP,
    LOGIT_SCALES,
    SOFTMAX_SCALES,
    annealed_scales,
)

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional  # noqa: E402

MOVES = ("learned", "exact")

EVENT, AGE, QUERIED = range(3)
"""Indices of the planes of a map."""

INITIAL_BIAS = -2.0
"""Initial cost of a step before the softplus."""

INITIAL_ENDS, INITIAL_DOUBT = (0.0, -12.0, 6.0, -30.0), 3.0
"""Initial value of ending in a cell by its last event, and how it grows with age / 200 in a cell
that was entered: a goal is best, then an unknown cell, then an old one. Training finds the numbers,
but not always this order: where a wrong end is the best of all, the right one gets no gradient."""


class MapValueIteration(MapKeeper, Student):
    """Value iteration network on the agent's own map, with 43 parameters.

    Suited to unseen mazes that change and are not shown, with frozen weights.

    The agent observes its cell, its last action and its last reward, nothing of the maze. A memory
    that is never trained keeps the last event in each cell (none, entered, entered with reward,
    bumped into) and its age (see `map_state`); beyond the edge all cells are freshly bumped into.
    The student reads the memory and plans on it:

        u, w = two weights for each event, times (1, log(1 + age) / 6, age / 200)
        r_m  = -softplus(convolution of w, + bias)            costs, never below 0
        q_m  = r_m + sum over a cell's 3x3 of P_m v           one backup
        v    = max(u, max over actions of q)                  ending there, or the best action

    P_m is a softmax of nine numbers, the transition probabilities. Each of the two kernels is
    learned for the action up and turned for the others. With the softplus no step can pay, without
    which value iteration may walk in circles.

    It is a student of a learner: from an expert that explores optimistically on its own map (see
    `dynamaze.agents.mapping`), it learns to explore, to remember and to plan again when the maze
    has changed, all with frozen weights. Its ancestors are map memory and value iteration (Gupta et
    al. 2017, CMP), exploring and planning in context (Ritter et al. 2021, EPN) and the distillation
    of learners (Laskin et al. 2022, algorithm distillation).

    In training it is given maps: (batch, 3, rows, cols) planes of events, ages and queried cells.
    The last is 0, or the number of iterations that a cell's label needs, at least 1: before them it
    has no weight, since other cells would be blamed for what cannot be known yet.
    As a policy it is given observations, and keeps a state for each run until `forget`; set `grid`
    first. A reset begins an episode, and keeps the map.

    Args:
        moves: "learned"; or "exact": P_m moves by one cell and w is read there, which leaves the 24
            weights of the reading (see `with_exact_moves`).
        iterations: number of iterations; None for an upper bound of the shortest path lengths in
            mazes of the given size (see `iterations_for`).
        scale: scale of the softmax; a buffer, set by training.
        sharpness: scale of the logits; a buffer, set by training.
        seed: seed of the initial weights.

    Raises:
        ValueError: for unknown moves, or a number outside its range.
    """

    scale: Tensor
    sharpness: Tensor
    observation_shape = (len(OBSERVATION),)

    def __init__(
        self,
        moves: str = "learned",
        *,
        iterations: int | None = None,
        scale: float = SOFTMAX_SCALES[1],
        sharpness: float = LOGIT_SCALES[1],
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.moves = checked_choice("moves", moves, MOVES)
        if iterations is not None:
            iterations = checked_integer("iterations", iterations, 1)
        self.iterations = iterations
        self.config = {"kind": "map_value_iteration", "moves": moves, "iterations": iterations}
        self.register_buffer("scale", torch.tensor(checked_number("scale", scale, 0, above=True)))
        self.register_buffer(
            "sharpness", torch.tensor(checked_number("sharpness", sharpness, 0, above=True))
        )
        draw = torch.Generator().manual_seed(seed)
        reading = 0.1 * torch.randn(2, MAP_FEATURES, generator=draw)
        reading[0, ::AGE_FEATURES] += torch.tensor(INITIAL_ENDS)
        reading[0, ENTERED * AGE_FEATURES + 2] += INITIAL_DOUBT
        self.reading = nn.Parameter(reading)  # u, w: for each event, the factors of its age
        if moves == "learned":
            self.move = nn.Parameter(0.05 * torch.randn(KERNEL, generator=draw))
            self.cost = nn.Parameter(0.1 * torch.randn(KERNEL, generator=draw))
            self.bias = nn.Parameter(torch.full((1,), INITIAL_BIAS))

    def iterations_for(self, rows: int, cols: int) -> int:
        """Return the number of iterations for a maze of this size."""
        return self.iterations or iterations_for(rows, cols)

    def forward(self, observations: Tensor) -> Tensor:
        """Return (queries, 4) logits for (batch, 3, rows, cols) maps."""
        count = self.iterations_for(*check_planes(observations.shape[1:]))
        return self._logits(observations, count)

    def _logits(self, maps: Tensor, count: int) -> Tensor:
        """Return the logits of the queried cells after a number of iterations."""
        moves, costs, bias = self.kernels()
        ending, stepping = self._readings(maps)
        edge = self.reading[1, BUMPED * AGE_FEATURES]  # bumped into, of age 0
        bordered = functional.pad(stepping - edge, (1, 1, 1, 1)) + edge
        rewards = -functional.softplus(functional.conv2d(bordered, costs, bias))
        value = ending
        for k in range(count):
            q = rewards + functional.conv2d(
                functional.pad(value, (1, 1, 1, 1), mode="replicate"), moves
            )
            if k < count - 1:
                value = torch.maximum(ending, q.amax(dim=1, keepdim=True))
        return self.sharpness * at_cells(q, maps[:, QUERIED] > 0.5)

    def kernels(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return transition probabilities and weights of w, (4, 1, 3, 3) each, and (4,) biases."""
        if self.moves == "exact":
            up = torch.zeros(3, 3, device=self.reading.device)
            up[0, 1] = 1
            return turned(up), turned(up), up.new_zeros(MAZE_ACTIONS)
        move = torch.softmax(self.scale * self.move, dim=0)
        return (
            turned(move.view(3, 3)),
            turned(self.cost.view(3, 3)),
            self.bias.expand(MAZE_ACTIONS),
        )

    def _readings(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Return the (batch, 1, rows, cols) values u of ending in a cell, and w of stepping."""
        event, age = maps[:, EVENT].long(), maps[:, AGE].float()
        factors = torch.stack([torch.ones_like(age), torch.log1p(age) / 6, age / 200], dim=-1)
        weights = self.reading.view(2, NUM_EVENTS, AGE_FEATURES)[:, event]
        ending, stepping = (weights * factors).sum(dim=-1)
        return ending[:, None], stepping[:, None]

    # -- training ------------------------------------------------------------------------------

    def training_outputs(
        self, observations: Tensor, progress: float, rng: np.random.Generator
    ) -> list[TrainingOutput]:
        """Return the logits after a random number of iterations, which grows with the progress."""
        self.scale, self.sharpness = annealed_scales(progress, self.scale)
        count = self.iterations_for(*check_planes(observations.shape[1:]))
        if progress < GROWTH_END:
            most = max(2, round(count * progress / GROWTH_END))
            count = int(rng.integers(max(2, most // 2), most + 1))
        queried = observations[:, QUERIED]
        known = (queried[queried > 0.5] <= count).float()
        return [TrainingOutput(compressed(self._logits(observations, count)), known)]

    # -- a policy ------------------------------------------------------------------------------

    def action_logits(self, observations: Any) -> FloatArray:
        """Return (runs, actions) logits for the next observation of each of a batch of runs.

        Args:
            observations: (runs, 3) cell, last action and last reward; the last two do not matter
                at the beginning of an episode.

        Raises:
            ValueError: without a grid, for a cell outside of it, or a memory of another number of
                runs or another grid.
        """
        planes = map_planes(self.record(observations), known_grid(self.grid))
        with torch.no_grad():
            logits = self(torch.from_numpy(planes).to(self.reading.device))
        return logits.double().cpu().numpy()  # type: ignore[no-any-return]

    @property
    def num_outputs(self) -> int:
        """Number of actions in a maze."""
        return MAZE_ACTIONS

    def multiply_adds(self, observation_shape: tuple[int, ...]) -> int:
        """Return the multiply-adds of a decision in a maze of (3, rows, cols) planes."""
        rows, cols = check_planes(observation_shape)
        taps = 1 if self.moves == "exact" else KERNEL
        each = MAZE_ACTIONS * taps * (1 + self.iterations_for(rows, cols))
        return rows * cols * (2 * AGE_FEATURES + each)


def compressed(logits: Tensor) -> Tensor:
    """Compress each logit's gap to the best of its row logarithmically beyond `LOGIT_CAP`.

    Sharp logits of a wrong preference keep a gradient, and do not outweigh all others.
    """
    below = logits.amax(dim=1, keepdim=True) - logits
    return -LOGIT_CAP * torch.log1p(below / LOGIT_CAP)


def turned(kernel: Tensor) -> Tensor:
    """Return (4, 1, 3, 3): a (3, 3) kernel of the action up, turned to each action."""
    return torch.stack([torch.rot90(kernel, -turn, (0, 1)) for turn in range(MAZE_ACTIONS)])[
        :, None
    ]


def map_planes(states: Float32Array, grid: Grid) -> Float32Array:
    """Return the (runs, 3, rows, cols) planes of states, with the present cells queried."""
    memory, cells = map_of(states), np.arange(grid[0] * grid[1])
    age = memory.clock[:, None] - memory.time
    queried = states[:, -1:] - 1 == cells
    planes = np.stack([memory.event, age, queried], axis=1).astype(np.float32)
    return planes.reshape(len(states), 3, *grid)


def with_exact_moves(student: MapValueIteration) -> MapValueIteration:
    """Return a student with the readings of a trained one, and moves that are exact.

    The cost of a step is read from the cell that it leads to alone. Its factor, the bias and what
    the kernel adds for a cell that was just entered, where the agent mostly is, become part of the
    reading: 24 weights remain.

    Raises:
        ValueError: for a student whose moves are exact already.
    """
    if student.moves == "exact":
        raise ValueError("a student with exact moves already; expected learned ones")
    made = MapValueIteration(
        "exact", iterations=student.iterations, sharpness=float(student.sharpness)
    )
    with torch.no_grad():
        reading = student.reading.clone()
        here = student.cost[4] * reading[1, ENTERED * AGE_FEATURES]
        reading[1] *= student.cost[1]  # the cell above
        reading[1, ::AGE_FEATURES] += student.bias + here
        made.reading.copy_(reading)
    return made
