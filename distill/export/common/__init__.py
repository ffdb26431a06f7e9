"""What all exported policies share: their base and float32 arithmetic."""
