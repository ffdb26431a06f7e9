"""Teachers as torch modules, for methods that need gradients or inner layers; and fingerprints."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from dynamaze.common.optional_imports import optional_import
from dynamaze.common.origin import qualified_name

optional_import("torch", purpose=__name__)
from torch import Tensor, nn  # noqa: E402  # after the message


class PolicyModule(nn.Module):
    """The network of a model of Stable-Baselines3 with Discrete actions, from arrays to logits.

    Args:
        policy: `model.policy` of PPO, A2C or DQN.
    """

    def __init__(self, policy: nn.Module) -> None:
        super().__init__()
        self.policy = policy
        self.feature_path = (
            "policy.mlp_extractor.policy_net" if hasattr(policy, "mlp_extractor") else None
        )

    def forward(self, observations: Tensor) -> Tensor:
        """Return (batch, actions) log-probabilities, or Q values."""
        policy: Any = self.policy
        if hasattr(policy, "q_net"):
            return policy.q_net(observations)  # type: ignore[no-any-return]
        return policy.get_distribution(observations).distribution.logits  # type: ignore[no-any-return]


def teacher_module(teacher: Any) -> nn.Module | None:
    """Return a teacher's network, from a batch of observations to logits; None if it has none.

    It is that of a torch module or a student; or of a PPO, A2C or DQN model whose observations are
    neither normalised nor transposed.
    """
    if isinstance(teacher, nn.Module):
        return teacher
    model: Any = getattr(teacher, "model", None)
    names = [base.__name__ for base in type(model).__mro__]
    if not {"PPO", "A2C", "DQN"} & set(names) or not hasattr(model.action_space, "n"):
        return None
    env = model.get_env()
    while env is not None:
        if type(env).__name__ in ("VecNormalize", "VecTransposeImage"):
            return None
        env = getattr(env, "venv", None)
    return PolicyModule(model.policy)


def fingerprint(teacher: Any) -> str | None:
    """Return a text that differs for teachers of different weights; None for no teacher.

    It is the name of the class or function and, for networks, a digest of the weights. Other
    parameters, such as those of a planner, are not part of it.
    """
    if teacher is None:
        return None
    inner = getattr(teacher, "teacher", None)
    if inner is not None:  # a wrapper, such as one with a temperature
        name = f"{type(teacher).__name__}({fingerprint(inner)})"
        return f"{name}/{getattr(teacher, 'temperature', 1)}"
    function = getattr(teacher, "function", None)
    name = qualified_name(teacher if function is None else function)
    module = teacher if isinstance(teacher, nn.Module) else None
    module = getattr(getattr(teacher, "model", None), "policy", module)
    if not isinstance(module, nn.Module):
        return name
    digest = hashlib.sha256()
    for key, weight in module.state_dict().items():
        digest.update(f"{key}{tuple(weight.shape)}".encode())
        digest.update(np.ascontiguousarray(weight.detach().cpu().numpy()).tobytes())
    return f"{name} {digest.hexdigest()[:16]}"
