"""Rasters and where their pixels lie: read, warped, rasterized, written."""
