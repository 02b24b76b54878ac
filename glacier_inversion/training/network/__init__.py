"""The network that an experiment describes, and what it predicts at points."""
