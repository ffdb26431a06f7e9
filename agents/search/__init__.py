"""Agents that plan when they have to decide, on a model or on copies."""
