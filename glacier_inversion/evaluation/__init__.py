"""Evaluation: predictions beside what is known."""
