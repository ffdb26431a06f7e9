"""Vector environments on a grid: a batch of mazes stepped by one compiled call."""
