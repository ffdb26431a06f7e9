"""Random initial weights for a network of the same kind and size."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from dynamaze.common.optional_imports import optional_import

from .registry import STUDENTS, is_makeable, make_student

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import nn  # noqa: E402


def initial_weights(module: nn.Module, rng: np.random.Generator) -> dict[str, Any]:
    """Return new random weights of a network, as a `state_dict`.

    Args:
        module: a student of a kind of `STUDENTS`, or a module whose layers have `reset_parameters`.
        rng: source of the seeds.

    Raises:
        TypeError: for a layer with weights that cannot draw them.
    """
    config = getattr(module, "config", None)
    if is_makeable(config):
        return make_student(**_seeded(config, rng)).state_dict()  # type: ignore[no-any-return]
    fresh = copy.deepcopy(module)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**63)))
        for path, layer in fresh.named_modules():
            if hasattr(layer, "reset_parameters"):
                layer.reset_parameters()
            elif next(layer.parameters(recurse=False), None) is not None:
                raise TypeError(
                    f"layer {path!r} of type {type(layer).__name__} has no reset_parameters; "
                    "expected layers that draw their weights"
                )
    return fresh.state_dict()


def _seeded(config: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Return a student's config with a seed for each of its parts that takes one."""
    parts = {
        name: _seeded(value, rng) if isinstance(value, dict) else value
        for name, value in config.items()
    }
    if "seed" in inspect.signature(STUDENTS[config["kind"]]).parameters:
        parts["seed"] = int(rng.integers(2**31))
    return parts
