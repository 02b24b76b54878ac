"""
Residual networks.

Each `convolutions` is a residual block, padded with zeros unless it says otherwise;
dense layers have no bias.
"""

from glacier_inversion.training.network.conventions import Conventions

CONVENTIONS = Conventions(is_residual=True, padding="same", hidden_bias=False)
