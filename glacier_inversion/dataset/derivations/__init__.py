"""
The derived rasters: what each computes.

One module each, found by name, with the function `compute` of
`glacier_inversion.dataset.computation.Computation`. The parameters are in the module of
the same name in `glacier_inversion.experiment.derivations`.
"""
