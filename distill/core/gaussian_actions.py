"""Outputs of policies with continuous actions: their range, and checks."""

from __future__ import annotations

from typing import Any, NoReturn

LOG_STD = (-20.0, 2.0)
"""Range of the logarithms of standard deviations, as in SAC of Stable-Baselines3."""


def refuse_logits() -> NoReturn:
    """Raise the error for logits of a policy with continuous actions.

    Raises:
        TypeError: always.
    """
    raise TypeError("a policy of continuous actions has no logits; use its action_gaussian")


def check_output_shape(name: str, shape: Any, outputs: int) -> None:
    """Check the shape of a part's outputs.

    Raises:
        ValueError: if it is not (queries, outputs).
    """
    if len(shape) != 2 or shape[1] != outputs:
        raise ValueError(f"{name} gave shape {tuple(shape)}; expected (queries, {outputs})")
