"""A student from an ONNX file, run by onnxruntime; no torch needed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from dynamaze.messages import optional_import

from .forms.remembering import Remembering
from .logits import FloatArray, LogitPolicy
from .weights import FORMAT, SAYS, StudentFileError

KINDS: dict[str, np.dtype[Any]] = {"tensor(float)": np.dtype("f4"), "tensor(uint8)": np.dtype("u1")}
"""What an exported student takes."""


class OnnxPolicy(Remembering, LogitPolicy):
    """A student as `export_onnx` wrote it, on one thread.

    One that remembers (a GRU) has `memory` and `reset(began)`, as `GRU` has.

    Args:
        path: the file.

    Attributes:
        observation_shape: of a single observation; None where any length will do.
        config: of the student that it was made of.
        card: what is told of it (see `Card`); may be empty.

    Raises:
        StudentFileError: (a ValueError) for a file that is cut short, damaged or foreign.
        ImportError: without onnxruntime, naming the extra that brings it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        runtime = optional_import("onnxruntime", extra="onnx", purpose="an ONNX policy")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # errors are raised all the same
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise StudentFileError(f"{path} cannot be read: {error.strerror}") from None
        try:
            session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # of its own classes, which share no other base
            raise StudentFileError(
                f"{path} is not a whole ONNX file ({' '.join(str(error).split())}); it may be cut "
                "short or of another kind"
            ) from None
        try:
            about = json.loads(session.get_modelmeta().custom_metadata_map[SAYS])
            found = about["format"]
        except (KeyError, TypeError, ValueError):
            raise StudentFileError(
                f"{path} is a network, but not a student's; expected a file written by export_onnx"
            ) from None
        if found != FORMAT:
            raise StudentFileError(f"{path} has format {found!r}; expected {FORMAT}")
        given, *more = session.get_inputs()
        if more:
            self.width, self.memory = more[0].shape[1], None
        self.config, self.card = about["config"], about["card"]
        self.observation_shape = tuple(n if isinstance(n, int) else None for n in given.shape[1:])
        self._input, self._dtype = given.name, KINDS[given.type]
        self._session = session

    def act(self, observation: Any) -> int:
        """The best action for one observation, the first of equal ones.

        Raises:
            ValueError: for an observation of another shape or kind, or a memory of several.
        """
        actions = self._run(np.asarray(observation)[None], "actions")
        return int(actions[0])

    def action_logits(self, observations: Any) -> FloatArray:
        """(answers, actions) logits for a batch of observations.

        Raises:
            ValueError: for observations of another shape or kind.
        """
        return self._run(np.asarray(observations), "logits").astype(np.float64)  # type: ignore[no-any-return]

    def _run(self, observations: Any, output: str) -> Any:
        shape, wanted = observations.shape[1:], self.observation_shape
        if len(shape) != len(wanted) or any(
            w is not None and n != w for n, w in zip(shape, wanted, strict=True)
        ):
            sides = ", ".join("any" if n is None else str(n) for n in ("batch", *wanted))
            raise ValueError(f"observations of shape {observations.shape}; expected ({sides})")
        if (observations.dtype == np.uint8) != (self._dtype == np.uint8):
            raise ValueError(
                f"observations of {observations.dtype}; expected {self._dtype}, for which the "
                "student was exported"
            )
        given = {self._input: np.ascontiguousarray(observations, dtype=self._dtype)}
        if not hasattr(self, "memory"):
            return self._session.run([output], given)[0]
        given["memory"] = self.recall(len(observations))
        answers, self.memory = self._session.run([output, "memory_after"], given)
        return answers
