"""Command `dynamaze distill certify`: what is proved of a student from its weights alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from dynamaze.benchmarks.harness.command_line import run_script
from dynamaze.common.validation import naming
from dynamaze.distill.core.certificate import LIMITS
from dynamaze.distill.export.certify import certify


@dataclass(frozen=True)
class CertifyConfig:
    """Prove up to which path length a value iteration network is right in every maze of any size.

    The proof is by interval arithmetic over all patterns of walls, edges and goals around a cell,
    and includes the rounding of float32. It needs no maze, and says nothing of longer paths.
    """

    student: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")]
    """A file in .safetensors, or builtin:NAME."""


def main(config: CertifyConfig) -> None:
    """Print what is proved.

    Raises:
        ValueError: for a file that is not a student, or weights about which nothing can be proved.
    """
    with naming(config.student):
        found = certify(config.student)
    print(f"{config.student}: proved from its weights, for all mazes of any size")
    if not found.one_goal:
        print("nothing, not even of cells beside a goal")
        return
    more = f" and {found.delay} more" if found.delay else ""
    single = ""
    if found.one_goal > found.steps:
        single = f"in mazes with a single goal, of up to {found.one_goal:,} steps\n"
    print(
        f"from every cell with a shortest path of up to {found.steps:,} steps, its actions follow "
        "a shortest path\n"
        f"{single}"
        f"not proved of longer ones, since {LIMITS[found.limit]}\n"
        f"iterations: as many as the steps of the path{more}; compiled policies and C headers "
        "that follow a wave need none, torch and ONNX run half the cells and the longer side"
    )


if __name__ == "__main__":
    run_script(__file__)
