"""Students whose weights are computed from others: rounded, or with some of them left out."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

S = TypeVar("S", bound=nn.Module)

_HIDDEN = "parametrizations"
"""Where torch keeps what weights are computed from."""

SAID = ("bits", "per")
"""What the `config` of a quantised student says beyond that of the same student of floats."""


def weights_of(student: nn.Module) -> Iterator[tuple[str, nn.Module, str]]:
    """Each weight by its whole name, the module that has it, and its name there.

    A weight that is computed counts as what it is in the end, not as what it is computed from.
    """
    for path, module in student.named_modules():
        if _HIDDEN in path.split("."):
            continue
        computed = list(getattr(module, _HIDDEN, ()))
        for name in (*dict(module.named_parameters(recurse=False)), *computed):
            yield f"{path}.{name}" if path else name, module, name


def plain_weights(student: nn.Module) -> dict[str, Tensor]:
    """What `state_dict` would be if nothing were computed: the numbers that answers come from."""
    with torch.no_grad():
        plain = {
            name: tensor
            for name, tensor in student.state_dict().items()
            if _HIDDEN not in name.split(".")
        }
        for whole, module, name in weights_of(student):
            plain[whole] = getattr(module, name).detach()
    return plain


def copied(student: S) -> S:
    """A copy that shares nothing, not even the class that torch makes for computed weights."""
    with torch.no_grad():
        for module in student.modules():
            if isinstance(module, nn.RNNBase):
                # It keeps the weights of the last pass, which cannot be copied with a gradient.
                module._init_flat_weights()
    copy = deepcopy(student)
    for module in copy.modules():
        if parametrize.is_parametrized(module):
            kind = type(module)
            module.__class__ = type(kind.__name__, kind.__bases__, dict(kind.__dict__))
    return copy


def plain(student: S) -> S:
    """A copy with ordinary weights, which gives the same answers to the last bit."""
    copy = copied(student)
    for module in list(copy.modules()):
        for name in list(getattr(module, _HIDDEN, ())):
            parametrize.remove_parametrizations(module, name, leave_parametrized=True)
    about = vars(copy)
    about.pop("num_bytes", None)
    if isinstance(about.get("config"), dict):
        about["config"] = {key: about["config"][key] for key in about["config"] if key not in SAID}
    return copy
