"""
What the operations of networks compute, one module each, found by name.

The parameters of an operation are in the module of the same name in
`glacier_inversion.experiment.operations`. A module offers ``build(given, shapes,
conventions)``: an `Operation` of `glacier_inversion.training.network.operation`, from
its parameters, the shapes of what flows into it, and what the architecture decides;
ShapeError where it does not fit.
"""
