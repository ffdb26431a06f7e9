"""Policy that runs an ONNX file of a student with onnxruntime; no torch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from dynamaze.common.arrays import FloatArray
from dynamaze.common.optional_imports import optional_import
from dynamaze.common.reading import parse_json, read_bytes
from dynamaze.common.validation import checked_integer

from ...core.distributions import Bounds
from ...core.map_state import checked_cells, checked_grid
from ...core.old_names import current_config
from ...files.weights import FORMAT, METADATA_KEY, MOST_BYTES, StudentFileError
from ..common.exported_policy import ExportedPolicy
from ..common.operations import check_shape
from .checking import ModelCheck

KINDS: dict[str, np.dtype[Any]] = {"tensor(float)": np.dtype("f4"), "tensor(uint8)": np.dtype("u1")}
"""ONNX type of the observations -> dtype."""


class OnnxPolicy(ExportedPolicy):
    """Student written by `export_onnx`, on one thread.

    With continuous actions it has `action_gaussian(observations)` and `bounds`, as
    `GaussianStudent`, instead of logits. A recurrent one (a GRU) has `memory` and
    `reset(episode_start)`, as `GRU`.

    Args:
        path: the file.

    Attributes:
        observation_shape: shape of a single observation, None for each side of any length.
        config: of the student.
        card: entries of its `Card`; may be empty.

    Raises:
        StudentFileError: (a ValueError) for a file that is cut short, damaged or foreign.
        ImportError: without onnxruntime, naming the extra that installs it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        runtime = optional_import("onnxruntime", purpose="an ONNX policy")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # errors are raised, not logged
        try:
            content = read_bytes(path, MOST_BYTES)
            ModelCheck(content)
            # Constants are not folded: a few nodes could fold to any size.
            session = runtime.InferenceSession(
                content,
                options,
                providers=["CPUExecutionProvider"],
                disabled_optimizers=["ConstantFolding"],
                enable_fallback=0,  # it would print, and try the same again
            )
        except OSError as error:
            raise StudentFileError(f"{path} cannot be read: {error.strerror}") from None
        except Exception as error:  # onnxruntime's errors share no other base class
            raise StudentFileError(
                f"{path} is not a whole ONNX file ({' '.join(str(error).split())}); it may be cut "
                "short or of another kind"
            ) from None
        try:
            about = parse_json(session.get_modelmeta().custom_metadata_map[METADATA_KEY])
            found = about["format"]
        except Exception:  # no such entry, or another document
            raise StudentFileError(
                f"{path} is a network, but not a student's; expected a file written by export_onnx"
            ) from None
        if found != FORMAT:
            raise StudentFileError(f"{path} has format {found!r}; expected {FORMAT}")
        try:
            given, *more = session.get_inputs()
            self.config, self.card = current_config(about["config"]), dict(about["card"])
            if not isinstance(self.config["kind"], str):
                raise TypeError(f"kind={self.config['kind']!r}; expected a name")
            width = checked_integer("memory", more[0].shape[1], 1) if more else 0
            grid = None if about.get("grid") is None else checked_grid(about["grid"])
            super().__init__(_bounds_in(self.config, path), width, grid)
            self._outputs = ["logits"] if self._bounds is None else ["means", "log_deviations"]
            names = {output.name for output in session.get_outputs()}
            if missing := {*self._outputs, "actions"} - names:
                raise ValueError(f"no output {min(missing)!r}")
            self.observation_shape = tuple(
                n if isinstance(n, int) else None for n in given.shape[1:]
            )
            self._input, self._dtype = given.name, KINDS[given.type]
        except StudentFileError:
            raise
        except Exception as error:  # a forged description raises many types of errors
            raise StudentFileError(
                f"{path} does not fit its description ({error!r}); expected a file written by "
                "export_onnx"
            ) from None
        self._session = session

    def act(self, observation: Any) -> Any:
        """Return the best action for one observation, or the action of the mean.

        A Discrete action is the first of equal ones. Continuous ones are arrays of float32, as the
        environment takes them.

        Raises:
            ValueError: for an observation of another shape or kind, or a state of several episodes.
        """
        (actions,) = self._run(np.asarray(observation)[None], ["actions"])
        return int(actions[0]) if self._bounds is None else actions[0]

    def _rows(self, observations: Any) -> FloatArray:
        outputs = self._run(np.asarray(observations), self._outputs)
        return np.concatenate(outputs, axis=1).astype(np.float64)

    def _run(self, observations: Any, outputs: list[str]) -> list[Any]:
        check_shape(observations.shape, self.observation_shape, batch=True)
        if (observations.dtype == np.uint8) != (self._dtype == np.uint8):
            raise ValueError(
                f"observations of {observations.dtype}; expected {self._dtype}, for which the "
                "student was exported"
            )
        if self._grid is not None:
            observations = checked_cells(observations, self._grid)
        given = {self._input: np.ascontiguousarray(observations, dtype=self._dtype)}
        if not self.width:
            return list(self._session.run(outputs, given))
        given["memory"] = self.recall(len(observations))
        *results, self.memory = self._session.run([*outputs, "memory_after"], given)
        return list(results)


def _bounds_in(config: Mapping[str, Any], path: object) -> Bounds | None:
    if config["kind"] != "gaussian":
        return None
    try:
        return Bounds.from_json(config)
    except Exception as error:
        raise StudentFileError(
            f"{path} has continuous actions, but no bounds of them ({error}); expected a file "
            "written by export_onnx"
        ) from None
