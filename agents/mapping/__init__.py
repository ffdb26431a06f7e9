"""Planning on a learned map: the optimistic planner of grid worlds that change, and its agent."""
