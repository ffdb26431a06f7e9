"""Shared parts of the experiments: registry, runner, tables, intervals, curves, compiled runs."""
