"""The eight ways to turn a patch."""

import numpy as np
import torch

from glacier_inversion.patches.symmetries import TURNS, turn_vectors


def test_vectors_turn_with_their_images():
    "A flow towards the image's right edge still points to where that edge went."
    # the vector at every pixel is the direction from the centre to the pixel
    offset = np.arange(5, dtype="f4") - 2
    east, north = np.tile(offset, (5, 1)), np.tile(-offset[:, None], (1, 5))
    images = {"e": [], "n": []}
    for quarters, mirror in TURNS:
        for name, image in (("e", east), ("n", north)):
            turned = np.rot90(image, quarters)
            images[name].append(np.fliplr(turned) if mirror else turned)
    batch = {k: torch.tensor(np.array(v))[:, None] for k, v in images.items()}
    turn_vectors(batch, [["e", "n"]], torch.arange(len(TURNS)))
    for i in range(len(TURNS)):  # a field that looks the same from everywhere
        np.testing.assert_allclose(batch["e"][i, 0], east, atol=1e-6)
        np.testing.assert_allclose(batch["n"][i, 0], north, atol=1e-6)
