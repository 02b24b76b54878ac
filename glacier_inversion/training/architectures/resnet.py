"""
Residual networks.

Each `convolutions` is a residual block: its convolutions with a ReLU between them, plus
a 1 x 1 convolution of its input, then a ReLU. It is padded with zeros unless it says
otherwise; dense layers have no bias.
"""

from glacier_inversion.training.network.conventions import Conventions

CONVENTIONS = Conventions(is_residual=True, padding="same", hidden_bias=False)
