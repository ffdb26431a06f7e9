"""Weights that torch computes from others: those of quantised and pruned students."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import TypeVar

from dynamaze.common.optional_imports import optional_import

optional_import("torch", purpose=__name__)
import torch  # noqa: E402  # after the message
from torch import Tensor, nn  # noqa: E402
from torch.nn.utils import parametrize  # noqa: E402

S = TypeVar("S", bound=nn.Module)

_HIDDEN = "parametrizations"
"""Name under which torch keeps the original weights."""

QUANTISATION_KEYS = ("bits", "granularity")
"""Entries of a quantised student's `config` that the same student of floats does not have."""


def weights_of(student: nn.Module) -> Iterator[tuple[str, nn.Module, str]]:
    """Yield each weight's full name, its module, and its name there.

    A computed weight is yielded once, under its own name, instead of the original that it is
    computed from.
    """
    for path, module in student.named_modules():
        if _HIDDEN in path.split("."):
            continue
        computed = list(getattr(module, _HIDDEN, ()))
        for name in (*dict(module.named_parameters(recurse=False)), *computed):
            yield f"{path}.{name}" if path else name, module, name


def original_weights(student: nn.Module) -> dict[str, Tensor]:
    """Return the weights that are trained, by the names of the final ones."""
    return {
        whole: getattr(module, _HIDDEN)[name].original
        if parametrize.is_parametrized(module, name)
        else getattr(module, name)
        for whole, module, name in weights_of(student)
    }


def plain_weights(student: nn.Module) -> dict[str, Tensor]:
    """Return the `state_dict` with the final values of computed weights."""
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
    """Return a deep copy that shares nothing, not even torch's class of a parametrised module."""
    with torch.no_grad():
        for module in student.modules():
            if isinstance(module, nn.RNNBase):
                # It caches the weights of the last pass, which cannot be copied with a gradient.
                module._init_flat_weights()
    copy = deepcopy(student)
    for module in copy.modules():
        if parametrize.is_parametrized(module):
            kind = type(module)
            module.__class__ = type(kind.__name__, kind.__bases__, dict(kind.__dict__))
    return copy


def plain(student: S) -> S:
    """Return a copy with ordinary weights, whose outputs are bit-identical."""
    copy = copied(student)
    for module in list(copy.modules()):
        for name in list(getattr(module, _HIDDEN, ())):
            parametrize.remove_parametrizations(module, name, leave_parametrized=True)
    about = vars(copy)
    about.pop("num_bytes", None)
    if isinstance(about.get("config"), dict):
        about["config"] = {
            key: about["config"][key] for key in about["config"] if key not in QUANTISATION_KEYS
        }
    return copy
