"""The figures of chapter 8: one module each, and the command for them."""
