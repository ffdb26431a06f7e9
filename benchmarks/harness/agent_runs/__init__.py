"""Runs of an agent: who it is, compiled or step by step, and its exact regret."""
