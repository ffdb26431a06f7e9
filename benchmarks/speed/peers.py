"""Speed beside peers, libraries that do the same: environments, Gaussian process, students.

Each row is a ratio of one run, in which both are timed in alternation. The peers come with
`pip install "dynamaze[peers]"`; of one that is missing the row says so. Gym-Gridworlds is in no
package index: its row has numbers where it is installed from its sources. The planners' peers are
in `peer_planners`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gymnasium as gym
import numpy as np

from dynamaze.benchmarks.harness.timing import (
    Measure,
    PairedTiming,
    SpeedRow,
    time_alternately,
    with_libraries,
)
from dynamaze.benchmarks.speed.envs import walk, walk_vector
from dynamaze.benchmarks.speed.learners import on_one_thread, toy_data
from dynamaze.benchmarks.speed.students import ACTIONS, WINDOW
from dynamaze.common.arrays import FloatArray

STEPS = 50_000
"""Steps of our environment; the peers take fewer, and rates are compared."""

VECTORS = ((64, 10_000, 2000), (1024, 1000, 200))
"""Environments of a vector, its steps, and those of the peer."""

POINTS = 1000
"""Points that a Gaussian process is given, and at which it then predicts."""

LENGTH_SCALE, NOISE = 0.5, 1e-2
"""Fixed hyper-parameters of the Gaussian processes; the noise is a share of the signal's."""


# -- environments ------------------------------------------------------------------------------


@with_libraries("minigrid")
def steps_beside_minigrid(repeats: int) -> list[SpeedRow]:
    """Steps with an observation of the cells around the agent, as MiniGrid gives them."""
    ours = gym.make("DynaMaze-v0", observation="window")
    peer = gym.make("MiniGrid-Empty-5x5-v0")
    pair = time_alternately(partial(walk, ours, STEPS), partial(walk, peer, STEPS // 50), repeats)
    return [_rate_row("steps, window", STEPS, "MiniGrid-Empty-5x5", STEPS // 50, pair)]


@with_libraries("gym_gridworlds")
def steps_beside_gym_gridworlds(repeats: int) -> list[SpeedRow]:
    """Steps of one environment whose observation is the cell's number."""
    peer = gym.make("Gym-Gridworlds/Penalty-3x3-v0")
    ours = gym.make("DynaMaze-v0")
    pair = time_alternately(partial(walk, ours, STEPS), partial(walk, peer, STEPS // 10), repeats)
    return [_rate_row("gym.make steps", STEPS, "Gym-Gridworlds 3x3", STEPS // 10, pair)]


@with_libraries("envpool")
def vector_steps_beside_envpool(repeats: int) -> list[SpeedRow]:
    """Steps of a vector environment; EnvPool runs one thread of C++."""
    rows = []
    for num_envs, calls, fewer in VECTORS:
        ours = gym.make_vec("DynaMaze-v0", num_envs=num_envs)
        peer: Any = import_module("envpool").make(
            "FrozenLake-v1", env_type="gymnasium", num_envs=num_envs, num_threads=1
        )
        ours.reset(seed=0)
        peer.reset()
        actions = np.random.default_rng(0).integers(0, 4, (calls, num_envs), dtype=np.int32)
        pair = time_alternately(
            partial(walk_vector, ours, actions),
            partial(walk_vector, peer, actions[:fewer]),
            repeats,
        )
        name = f"vector steps, n={num_envs}"
        rows.append(_rate_row(name, calls * num_envs, "EnvPool FrozenLake", fewer * num_envs, pair))
        peer.close()
    return rows


def _rate_row(name: str, steps: int, peer: str, peer_steps: int, pair: PairedTiming) -> SpeedRow:
    """Return the row of two rates of steps."""
    return SpeedRow(
        name,
        f"{steps / pair.ours / 1e6:.2f} M/s",
        peer,
        f"{peer_steps / pair.baseline / 1e6:.3f} M/s",
        f"{pair.ratio * steps / peer_steps:.1f}x",
    )


# -- Gaussian process --------------------------------------------------------------------------


@on_one_thread("scipy", "sklearn")
def gaussian_process_beside_sklearn(repeats: int) -> list[SpeedRow]:
    """Exact posterior mean and deviation, hyper-parameters given, against scikit-learn."""
    return [_posterior_row("scikit-learn", sklearn_posterior, repeats)]


@on_one_thread("scipy", "gpytorch")
def gaussian_process_beside_gpytorch(repeats: int) -> list[SpeedRow]:
    """Exact posterior mean and deviation, hyper-parameters given, against GPyTorch."""
    return [_posterior_row("GPyTorch", gpytorch_posterior, repeats)]


Posterior = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]
"""Called with (n, inputs) inputs, (n, outputs) targets and (m, inputs) queries, returns (m,
outputs) the posterior mean; it computes the deviation, too."""


def _posterior_row(peer: str, posterior: Posterior, repeats: int) -> SpeedRow:
    inputs, targets = toy_data(2 * POINTS)
    given = (inputs[:POINTS], targets[:POINTS], inputs[POINTS:])
    pair = time_alternately(partial(own_posterior, *given), partial(posterior, *given), repeats)
    return SpeedRow(
        f"GP, {POINTS} points, 3 outputs, {POINTS} predicted",
        f"{pair.ours * 1e3:.0f} ms",
        peer,
        f"{pair.baseline * 1e3:.0f} ms",
        f"{pair.ratio:.1f}x",
    )


def own_posterior(inputs: FloatArray, targets: FloatArray, queries: FloatArray) -> FloatArray:
    """Return the posterior mean of `Posterior`, by our learner."""
    from dynamaze.agents.learners import GaussianProcess

    learner = GaussianProcess(
        inputs.shape[1],
        targets.shape[1],
        length_scales=LENGTH_SCALE,
        noise=NOISE,
        tune=False,
        budget=len(inputs) + 1,
    )
    learner.update(inputs, targets)
    mean: FloatArray = learner.predict(queries).mean
    return mean


def sklearn_posterior(inputs: FloatArray, targets: FloatArray, queries: FloatArray) -> FloatArray:
    """Return the posterior mean of `Posterior`, by scikit-learn."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF

    regressor = GaussianProcessRegressor(
        RBF(LENGTH_SCALE), alpha=NOISE, optimizer=None, normalize_y=True
    )
    mean, _ = regressor.fit(inputs, targets).predict(queries, return_std=True)
    return np.asarray(mean)


def gpytorch_posterior(inputs: FloatArray, targets: FloatArray, queries: FloatArray) -> FloatArray:
    """Return the posterior mean of `Posterior`, by GPyTorch.

    Its three outputs are a batch of processes, in double precision and by Cholesky factors, as
    ours.
    """
    torch: Any = import_module("torch")
    gpytorch: Any = import_module("gpytorch")
    batch = torch.Size([targets.shape[1]])
    offset, spread = targets.mean(axis=0), targets.std(axis=0)
    rows = torch.from_numpy(inputs).expand(*batch, *inputs.shape)
    values = torch.from_numpy(((targets - offset) / spread).T.copy())

    class Process(gpytorch.models.ExactGP):  # type: ignore[misc]  # the library has no types
        def __init__(self, likelihood: Any) -> None:
            super().__init__(rows, values, likelihood)
            self.mean = gpytorch.means.ZeroMean(batch_shape=batch)
            self.kernel = gpytorch.kernels.RBFKernel(batch_shape=batch)
            self.kernel.lengthscale = LENGTH_SCALE

        def forward(self, points: Any) -> Any:
            return gpytorch.distributions.MultivariateNormal(self.mean(points), self.kernel(points))

    likelihood = gpytorch.likelihoods.GaussianLikelihood(batch_shape=batch)
    likelihood.noise = NOISE
    process = Process(likelihood).double().eval()
    with torch.no_grad(), gpytorch.settings.max_cholesky_size(len(inputs) + 1):
        predicted = process(torch.from_numpy(queries).expand(*batch, *queries.shape))
        mean, _ = predicted.mean.numpy(), predicted.variance.numpy()
    return np.asarray(mean.T * spread + offset)


# -- students ----------------------------------------------------------------------------------


@with_libraries("torch")
def student_beside_torch(repeats: int) -> list[SpeedRow]:
    """Latency of a decision of an MLP, compiled, against the same in PyTorch."""
    return [_student_row("PyTorch", lambda student, folder: student.act)]


@with_libraries("torch")
def student_beside_numpy(repeats: int) -> list[SpeedRow]:
    """Latency of a decision of an MLP, compiled, against its formula in NumPy."""
    return [_student_row("NumPy", lambda student, folder: numpy_policy(student))]


@with_libraries("torch", "onnx", "onnxruntime")
def student_beside_onnxruntime(repeats: int) -> list[SpeedRow]:
    """Latency of a decision of an MLP, compiled, against its ONNX file in ONNX Runtime."""
    return [_student_row("ONNX Runtime", onnx_policy)]


def _student_row(peer: str, make_policy: Callable[[Any, Path], Callable[[Any], Any]]) -> SpeedRow:
    """Return the row of a student beside another form of it, both on one thread.

    Args:
        peer: name of the other form.
        make_policy: called with the student and a folder, returns a function of an observation.
    """
    from dynamaze.distill.core.size import microseconds
    from dynamaze.distill.export.compiled import build_policy
    from dynamaze.distill.files.students import to_stored
    from dynamaze.distill.students.mlp import MLP

    student = MLP(WINDOW, ACTIONS, 8)
    observation = np.random.default_rng(0).random(WINDOW, dtype=np.float32)
    ours = build_policy(to_stored(student)).act
    with TemporaryDirectory() as folder:
        theirs = make_policy(student, Path(folder))
        own, other = (
            microseconds(lambda: ours(observation)),
            microseconds(lambda: theirs(observation)),
        )
    name = f"student of {student.num_parameters:,} parameters"
    return SpeedRow(name, f"{own:.2f} us", peer, f"{other:.2f} us", f"{other / own:.1f}x")


def numpy_policy(student: Any) -> Callable[[FloatArray], int]:
    """Return an MLP as a function of an observation, in NumPy."""
    weights = [
        (layer.weight.detach().numpy().copy(), layer.bias.detach().numpy().copy())
        for layer in student.layers
    ]
    (*hidden, (last_weight, last_bias)) = weights

    def act(observation: FloatArray) -> int:
        units = observation.ravel()
        for weight, bias in hidden:
            units = np.tanh(weight @ units + bias)
        return int(np.argmax(last_weight @ units + last_bias))

    return act


def onnx_policy(student: Any, folder: Path) -> Callable[[FloatArray], int]:
    """Return an MLP as a function of an observation, its ONNX file in ONNX Runtime."""
    from dynamaze.distill.export.onnx_graph.writer import export_onnx

    runtime = import_module("onnxruntime")
    path = folder / "student.onnx"
    export_onnx(path, student, np.zeros(student.observation_shape, np.float32))
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda observation: int(
        session.run(["actions"], {"observations": observation[None]})[0][0]
    )


MEASUREMENTS: tuple[Measure, ...] = (
    steps_beside_minigrid,
    steps_beside_gym_gridworlds,
    vector_steps_beside_envpool,
    gaussian_process_beside_sklearn,
    gaussian_process_beside_gpytorch,
    student_beside_torch,
    student_beside_numpy,
    student_beside_onnxruntime,
)
