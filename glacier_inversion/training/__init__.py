"""Train the network that an experiment describes, once per seed."""
