"""Policies, action distributions, batches, losses and level ranges, shared by all of distill."""
