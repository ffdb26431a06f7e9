"""Path lengths along a teacher's actions: a curriculum of mazes that needs no search.

`ValueIterationNetwork` trains each iteration on the cells that its wave front has reached. By
default shortest path lengths tell where it is: privileged information. Here they are the numbers of
steps by which the teacher itself reaches a goal.
"""

from __future__ import annotations

from typing import Any

from dynamaze.common.optional_imports import optional_import

from ..students.value_iteration import PathLengths
from ..teachers import as_teacher, teacher_labels

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import Tensor  # noqa: E402


def teacher_path_lengths(teacher: Any) -> PathLengths:
    """Return a function from observations of mazes to path lengths along a teacher's actions.

    It is for `ValueIterationNetwork(curriculum=)`. Only the teacher's answers, the goals and the
    meaning of the four moves are used. A teacher with an answer for each cell is asked once for
    each batch, whatever the number of students that train on it; but the source's labels of the
    same batch are another pass.

    Args:
        teacher: anything that `as_teacher` takes, for (batch, 3, rows, cols) planes.

    Raises:
        TypeError: if it is no teacher.
    """
    policy = as_teacher(teacher)
    last: tuple[Tensor, Tensor] | None = None

    def path_lengths(observations: Tensor) -> Tensor:
        nonlocal last
        if last is None or last[0] is not observations:
            labels = teacher_labels(policy, observations.detach().cpu().numpy())
            actions = torch.as_tensor(labels.argmax(axis=1), device=observations.device)
            last = observations, steps_by_actions(observations, actions)
        return last[1]

    return path_lengths


def steps_by_actions(observations: Tensor, actions: Tensor) -> Tensor:
    """Return the steps to a goal by given actions, as `envs.generation.planes.steps_to_goal`.

    Args:
        observations: (batch, 3, rows, cols) walls, queried cells and goals.
        actions: (queries,) 0 up, 1 right, 2 down, 3 left, for each queried cell.

    Returns:
        (batch, rows, cols) float32: 0 at goals; inf where no goal is reached, also in cells without
        an action.
    """
    walls, queried, goals = (plane > 0.5 for plane in observations.unbind(dim=1))
    batch, rows, cols = walls.shape
    maze, row, col = queried.nonzero(as_tuple=True)
    below = (row + (actions == 2).long() - (actions == 0).long()).clamp(0, rows - 1)
    beside = (col + (actions == 1).long() - (actions == 3).long()).clamp(0, cols - 1)
    is_free = ~walls[maze, below, beside]
    ahead = torch.arange(rows * cols, device=walls.device).repeat(batch, 1).view_as(walls).clone()
    ahead[maze, row, col] = torch.where(is_free, below * cols + beside, row * cols + col)
    home = torch.arange(rows * cols, device=walls.device).view(rows, cols)
    ahead = torch.where(goals, home, ahead).flatten(1)
    steps = torch.where(goals, 0.0, 1.0).flatten(1)
    # Pointer jumping: after k rounds `ahead` is the cell 2^k steps on, `steps` the steps to there.
    for _ in range((rows * cols).bit_length()):
        steps = steps + steps.gather(1, ahead)
        ahead = ahead.gather(1, ahead)
    reached = goals.flatten(1).gather(1, ahead)
    return torch.where(reached, steps, torch.inf).view_as(walls)
