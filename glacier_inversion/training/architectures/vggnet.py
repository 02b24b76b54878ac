"""
Plain convolutional networks in the manner of VGG.

Each `convolutions` is a row of convolutions, each with a ReLU, unpadded unless it says
otherwise; dense layers have a bias, but for the last.
"""

from glacier_inversion.training.network.conventions import Conventions

CONVENTIONS = Conventions(is_residual=False, padding="valid", hidden_bias=True)
