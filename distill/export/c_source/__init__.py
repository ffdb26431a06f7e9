"""Students as C: the writer of a header, and the policy that calls a header."""
