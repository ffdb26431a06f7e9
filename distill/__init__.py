"""Policy distillation: a large teacher, a tiny student.

What teachers and students have in common is `Policy`; the agents of `dynamaze.agents` are
policies, and so is any object with its one method.
"""

from __future__ import annotations

from .policy import Policy, agreement

__all__ = ["Policy", "agreement"]
