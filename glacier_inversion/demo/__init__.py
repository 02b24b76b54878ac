"""A made-up region of known thickness, and how well it is mapped."""
