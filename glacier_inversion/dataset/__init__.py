"""A dataset: outlines, splits, who owns a target, tiles made and read again."""
