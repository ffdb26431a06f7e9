"""Transformer whose tokens are the cells of a maze, for planes of any size."""

from __future__ import annotations

from dynamaze.common.optional_imports import optional_import
from dynamaze.common.validation import checked_integer

from ..core.observations import KERNEL, MAZE_ACTIONS
from .base import Student
from .conv import at_cells, check_planes, split_planes, walled
from .shapes import MOST_LAYERS, check_size

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional  # noqa: E402

AXES = 2
"""Axes of a position: row and column."""

FREQUENCY_BASE = 100.0
"""Base of the rotations' frequencies, of which the highest is a radian a cell."""

Rotation = tuple[Tensor, Tensor]
"""Cosines and sines of each cell's angles, (cells, width of a head / 2) each."""


class Transformer(Student):
    """Transformer (Vaswani et al. 2017) with an output row for each queried cell, in one pass.

    Suited to studies of inner layers, and to teachers whose layers a student follows.

    A token is a cell. It is embedded by a linear map of the walls and goals of the 3x3 cells around
    it, with walls beyond the edge, so that a token knows which moves are possible. Blocks are
    pre-norm (Xiong et al. 2020, figure 1b). Positions enter as rotations of queries and keys
    (rotary embedding: Su et al. 2021, equation 16), one half of a head by the row and the other by
    the column ("axial": Heo et al. 2024): attention depends on the offset of two cells alone, and
    mazes of any size can be given. Those larger than in training have offsets that the network has
    not seen.

    Inner layers, for forward hooks by module path:

    - `blocks.N` returns the hidden states, (batch, cells, width), row after row;
    - `blocks.N.attention` and `blocks.N.mlp` return what is added to them;
    - `blocks.N.attention.scores` returns the scaled scores and `blocks.N.attention.weights` their
      softmax, the attention maps, (batch, heads, cells, cells) with the queries before the keys.
      They are called only while one of them has a forward hook; otherwise a fused kernel computes
      the same, up to rounding, without these matrices.

    Args:
        layers: number of blocks.
        width: length of a token, a multiple of 4 * heads: two axes of pairs in each head.
        heads: attention heads of each block.
        mlp_ratio: hidden units of a block's MLP, in widths.
        seed: seed of the initial weights.

    Raises:
        ValueError: for a number outside its range.
    """

    per_cell = True

    def __init__(
        self,
        layers: int = 4,
        width: int = 64,
        heads: int = 4,
        *,
        mlp_ratio: int = 4,
        seed: int = 0,
    ) -> None:
        super().__init__()
        count = checked_integer("layers", layers, 1, MOST_LAYERS)
        self.heads = checked_integer("heads", heads, 1)
        self.width = checked_integer("width", width, 1)
        self.mlp_ratio = checked_integer("mlp_ratio", mlp_ratio, 1)
        unit = 2 * AXES * self.heads  # a pair of components for each axis and head
        if self.width % unit:
            raise ValueError(
                f"width={width}, heads={heads}; expected a width that is a multiple of 4 * heads, "
                f"such as {unit * max(1, self.width // unit)}"
            )
        self.config = {
            "kind": "transformer",
            "layers": count,
            "width": self.width,
            "heads": self.heads,
            "mlp_ratio": self.mlp_ratio,
        }
        check_size(self.config)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.embedding = nn.Conv2d(2, self.width, 3)
            self.blocks = nn.ModuleList(
                Block(self.width, self.heads, self.mlp_ratio) for _ in range(count)
            )
            self.norm = nn.LayerNorm(self.width)
            self.last = nn.Linear(self.width, MAZE_ACTIONS)

    def forward(self, observations: Tensor) -> Tensor:
        """Return (queries, 4) logits for (batch, 3, rows, cols) planes."""
        maze, queried = split_planes(observations)
        embedded = self.embedding(walled(maze))
        tokens = embedded.flatten(2).transpose(1, 2)
        rotation = rotation_of(
            maze.shape[2], maze.shape[3], self.width // self.heads, device=maze.device
        )
        for block in self.blocks:
            tokens = block(tokens, rotation)
        cells = tokens.transpose(1, 2).reshape(embedded.shape)
        logits: Tensor = self.last(self.norm(at_cells(cells, queried)))
        return logits

    def multiply_adds(self, observation_shape: tuple[int, ...]) -> int:
        """Return the multiply-adds for all cells of a maze, and for one output row."""
        rows, cols = check_planes(observation_shape)
        cells, width = rows * cols, self.width
        projections = (4 + 2 * self.mlp_ratio) * width**2
        attention = 2 * cells * width  # scores, and the mean of the values
        block = cells * (projections + attention)
        return cells * 2 * KERNEL * width + len(self.blocks) * block + width * MAZE_ACTIONS


class Block(nn.Module):
    """Pre-norm block: attention and an MLP, each added to the tokens.

    Both last layers are initialised to zero, so that the network starts shallow, as `Residual`: it
    learns faster, with a larger step size and no warm-up (compare Bachlechner et al. 2021).
    """

    def __init__(self, width: int, heads: int, mlp_ratio: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, mlp_ratio * width), nn.GELU(), nn.Linear(mlp_ratio * width, width)
        )
        for layer in (self.attention.output, self.mlp[2]):
            for weight in layer.parameters():
                nn.init.zeros_(weight)

    def forward(self, tokens: Tensor, rotation: Rotation) -> Tensor:
        """Return (batch, cells, width) tokens."""
        tokens = tokens + self.attention(self.attention_norm(tokens), rotation)
        out: Tensor = tokens + self.mlp(self.mlp_norm(tokens))
        return out


class Attention(nn.Module):
    """Multi-head self-attention with rotated queries and keys (Vaswani et al. 2017, section 3.2).

    Attributes:
        scores: identity through which the scaled scores pass, for forward hooks.
        weights: softmax through which they pass then.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.inputs = nn.Linear(width, 3 * width)  # queries, keys and values
        self.scores = nn.Identity()
        self.weights = nn.Softmax(dim=-1)
        self.output = nn.Linear(width, width)

    def forward(self, tokens: Tensor, rotation: Rotation) -> Tensor:
        """Return (batch, cells, width) mixtures of the cells' values."""
        batch, cells, width = tokens.shape
        parts = self.inputs(tokens).view(batch, cells, 3, self.heads, width // self.heads)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)
        queries, keys = rotated(queries, rotation), rotated(keys, rotation)
        # As torch's own encoder layer decides on its fast path: a hook needs the explicit matrices.
        if self.scores._forward_hooks or self.weights._forward_hooks:
            scores = queries @ keys.transpose(2, 3) / (width // self.heads) ** 0.5
            mixed = self.weights(self.scores(scores)) @ values
        else:
            mixed = functional.scaled_dot_product_attention(queries, keys, values)
        out: Tensor = self.output(mixed.transpose(1, 2).reshape(batch, cells, width))
        return out


def rotation_of(
    rows: int, cols: int, head_width: int, *, device: torch.device | None = None
) -> Rotation:
    """Return cosines and sines of the angles of each cell, (rows * cols, head width / 2) each.

    Angle k of an axis is the row or column times 100 ** (-k / n), of n angles (Su et al. 2021,
    section 3.2.2, with 100 instead of 10000 since mazes have tens of cells, not thousands).

    Args:
        rows: of the maze.
        cols: of the maze.
        head_width: length of a query.
        device: of the result.
    """
    count = head_width // (2 * AXES)
    frequencies = FREQUENCY_BASE ** (-torch.arange(count, device=device) / count)
    row = torch.arange(rows, device=device)[:, None, None] * frequencies
    col = torch.arange(cols, device=device)[None, :, None] * frequencies
    angles = torch.cat([row.expand(rows, cols, count), col.expand(rows, cols, count)], dim=2)
    flat = angles.reshape(rows * cols, AXES * count)
    return flat.cos(), flat.sin()


def rotated(vectors: Tensor, rotation: Rotation) -> Tensor:
    """Rotate each pair of components by its angle (Su et al. 2021, equation 34).

    Args:
        vectors: (..., cells, head width); components k and k + half of the width are a pair, not
            neighbours as in the paper.
        rotation: of the cells.
    """
    cosines, sines = rotation
    one, other = vectors.chunk(2, dim=-1)
    return torch.cat([one * cosines - other * sines, one * sines + other * cosines], dim=-1)
