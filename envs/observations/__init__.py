"""Kinds of observation on a grid, and the encoder that the argument `observation` selects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

from dynamaze.common.validation import did_you_mean

from ..mazes.layout import Layout
from .basic import (
    CoordinatesObservation,
    IndexObservation,
    ObservationEncoder,
    OneHotObservation,
    PlanesObservation,
)

ObservationLike = str | Mapping[str, Any]


class EncoderSpec(NamedTuple):
    """Specification of a kind of observation."""

    make: Callable[..., ObservationEncoder]
    options: tuple[str, ...] = ()  # the options that a mapping may give beside its kind
    of: str | None = None  # default kind of the observation inside a dictionary


def _imported(module: str, name: str) -> Callable[..., ObservationEncoder]:
    """Return a constructor that imports its module only when it is called."""

    def make(*args: Any, **kwargs: Any) -> ObservationEncoder:
        encoder: ObservationEncoder = getattr(import_module(module, __name__), name)(
            *args, **kwargs
        )
        return encoder

    return make


OBSERVATIONS = {
    "index": EncoderSpec(IndexObservation),
    "coordinates": EncoderSpec(CoordinatesObservation),
    "one_hot": EncoderSpec(OneHotObservation),
    "planes": EncoderSpec(PlanesObservation),
    "window": EncoderSpec(_imported(".local", "WindowObservation"), ("radius",)),
    "rays": EncoderSpec(_imported(".local", "RaysObservation")),
    "rgb": EncoderSpec(_imported(".image", "ImageObservation"), ("cell_size",)),
    "action_mask": EncoderSpec(_imported(".dicts", "ActionMaskObservation"), ("of",), of="index"),
    "goal": EncoderSpec(_imported(".dicts", "GoalObservation"), ("of",), of="coordinates"),
}


def make_encoder(
    observation: ObservationLike, layout: Layout, specs: Mapping[str, EncoderSpec] = OBSERVATIONS
) -> ObservationEncoder:
    """Return the encoder that an environment's argument `observation` selects.

    Args:
        observation: its name, or a mapping of its "kind" and its options: `{"kind": "window",
            "radius": 3}`, `{"kind": "rgb", "cell_size": 4}`, `{"kind": "action_mask", "of":
            "planes"}`, `{"kind": "goal", "of": "one_hot"}`.
        layout: the first maze; all others have its shape.
        specs: the kinds to choose from.

    Raises:
        ValueError: for an unknown name, listing the known ones, or an option outside its range;
            TypeError for an option that is not a number.
    """
    options: dict[str, Any] = (
        dict(observation) if isinstance(observation, Mapping) else {"kind": observation}
    )
    kind = options.pop("kind", None)
    if not isinstance(kind, str) or kind not in specs:
        raise ValueError(
            f"observation={observation!r}; expected one of {sorted(specs)}"
            f"{did_you_mean(kind, specs)}"
        )
    spec = specs[kind]
    for name in options:
        if name not in spec.options:
            expected = " or ".join(spec.options) or "none"
            raise ValueError(
                f"option {name!r} of observation {kind!r}; expected {expected}"
                f"{did_you_mean(name, spec.options)}"
            )
    if spec.of is not None:
        options["of"] = make_encoder(options.get("of", spec.of), layout, specs)
    return spec.make(layout, **options)
