"""
The derived rasters: the parameters of each, as the experiment has them.

One module each, found by name: half_width.py holds the class HalfWidth, a `Derivation`
of `glacier_inversion.experiment.derivation` whose `name` is "half_width". What it
computes is in the module of the same name in `glacier_inversion.dataset.derivations`.
The JSON Schema, and from it the reference of the experiment file, are made of these
classes.
"""
