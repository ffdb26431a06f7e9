"""Adaptation in context: agents in unseen mazes that change during a run."""
