"""Predict a parameter of glaciers at the centre of image patches, with ensembles."""

__version__ = "0.1.0"
