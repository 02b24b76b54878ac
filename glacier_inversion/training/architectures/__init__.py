"""
The architectures, one module each, found by name.

A module has no layers, which the experiment describes. It offers ``CONVENTIONS``, what
it decides of their operations: the `Conventions` of
`glacier_inversion.training.network.conventions`.
"""
