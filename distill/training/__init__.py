"""Training of students: the loop, callbacks, random restarts and pruning."""
