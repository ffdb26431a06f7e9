"""Mazes as data: layouts, schedules, exact dynamics, optimal values and regret."""
