"""A first experiment, proposed from what lies in the data folder."""
