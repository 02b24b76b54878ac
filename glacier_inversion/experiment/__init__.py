"""The experiment file: its sections, what they must be to each other, and messages."""
