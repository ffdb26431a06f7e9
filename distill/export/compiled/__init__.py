"""Students that run without torch, from their files: NumPy arrays and compiled functions."""

from .policy import CompiledPolicy, build_policy, load_policy

__all__ = ["CompiledPolicy", "build_policy", "load_policy"]
