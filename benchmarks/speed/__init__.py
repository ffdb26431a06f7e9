"""Speed of environments, rendering, agents and students, each beside a baseline."""
