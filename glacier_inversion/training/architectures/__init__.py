"""
The architectures, one module each, found by name.

A module offers ``CONVENTIONS``: what it decides of the operations of its networks, the
`Conventions` of `glacier_inversion.training.network.conventions`.
"""
