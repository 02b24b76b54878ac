"""
The operations of networks: the parameters of each, as the experiment has them.

One module each, found by name: max_pool.py would hold the class MaxPool, an `Operation`
of `glacier_inversion.experiment.operation` whose `name` is "max_pool", or another of
its spellings. What it computes is in the module of the same name in
`glacier_inversion.training.network.operations`. The JSON Schema, and from it the
reference of the experiment file, are made of these classes.
"""
