"""Observations on a grid: the kinds that an environment's argument `observation` selects."""

from __future__ import annotations

from .encoders import (
    OBSERVATIONS,
    EncoderKinds,
    ObservationEncoder,
    ObservationLike,
    SlotCache,
    as_entries,
    describe_observation,
    make_encoder,
)

__all__ = [
    "OBSERVATIONS",
    "EncoderKinds",
    "ObservationEncoder",
    "ObservationLike",
    "SlotCache",
    "as_entries",
    "describe_observation",
    "make_encoder",
]
