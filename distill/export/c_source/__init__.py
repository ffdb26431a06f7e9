"""Students as C: the writer of the header, and the policy that calls it."""
