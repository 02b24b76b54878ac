"""
The architectures, one module each, found by name.

A module offers ``build_operation(operation, shapes)``: the network's next operation, an
`Operation` of `glacier_inversion.training.network.operations`, from its section in the
experiment and the shapes of what it is given.
"""
