"""Figures of chapter 8 of Sutton & Barto (2018): one module each, and the command for all."""
