"""Experiments: one module each, with its configuration, run, plot and summary."""
