"""Vector environments on the grid: many mazes stepped by one compiled call."""
