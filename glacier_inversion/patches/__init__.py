"""From tiles to samples: the lattice of points, and the patches around them."""
