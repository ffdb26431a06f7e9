"""The table of the forms of observation, and how the keyword `observation` chooses one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from dynamaze.common.validation import did_you_mean

from ..mazes.layout import Layout
from .basic import Coordinates, Index, Observation, OneHot, Planes
from .dicts import ActionMask, Goal
from .local import Picture, Rays, Window

ObservationLike = str | Mapping[str, Any]


class Form(NamedTuple):
    """A form of observation."""

    make: Callable[..., Observation]
    options: tuple[str, ...] = ()  # what a mapping may say beside its kind
    of: str | None = None  # the form that stands in it, where nothing else is said


OBSERVATIONS = {
    "index": Form(Index),
    "coordinates": Form(Coordinates),
    "one_hot": Form(OneHot),
    "planes": Form(Planes),
    "window": Form(Window, ("radius",)),
    "rays": Form(Rays),
    "rgb": Form(Picture, ("cell_size",)),
    "action_mask": Form(ActionMask, ("of",), of="index"),
    "goal": Form(Goal, ("of",), of="coordinates"),
}


def make_observation(
    chosen: ObservationLike, layout: Layout, forms: Mapping[str, Form] = OBSERVATIONS
) -> Observation:
    """The form of observation that the keyword asks for.

    Args:
        chosen: its name, or a mapping of its "kind" and its options: `{"kind": "window",
            "radius": 3}`, `{"kind": "rgb", "cell_size": 4}`, `{"kind": "action_mask", "of":
            "planes"}`, `{"kind": "goal", "of": "one_hot"}`.
        layout: the first maze; all others have its shape.
        forms: the forms that there are.

    Raises:
        ValueError: for a name that does not exist, naming those that do, or an option outside its
            range; TypeError for an option that is not a number.
    """
    options: dict[str, Any] = dict(chosen) if isinstance(chosen, Mapping) else {"kind": chosen}
    kind = options.pop("kind", None)
    if not isinstance(kind, str) or kind not in forms:
        raise ValueError(
            f"observation={chosen!r}; expected one of {sorted(forms)}{did_you_mean(kind, forms)}"
        )
    form = forms[kind]
    for name in options:
        if name not in form.options:
            expected = " or ".join(form.options) or "none"
            raise ValueError(
                f"option {name!r} of observation {kind!r}; expected {expected}"
                f"{did_you_mean(name, form.options)}"
            )
    if form.of is not None:
        options["of"] = make_observation(options.get("of", form.of), layout, forms)
    return form.make(layout, **options)
