"""Dyna for Stable-Baselines3: a callback, and a buffer of simulated transitions."""
