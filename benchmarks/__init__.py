"""Experiments: one module each, with its configuration, its run and its picture."""
