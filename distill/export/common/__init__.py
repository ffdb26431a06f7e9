"""Base classes of exported policies, and float32 arithmetic."""
