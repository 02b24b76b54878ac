"""A trained model on disk: what its members share, their weights, the ensemble."""
