"""Made-up mountains, coarse ones."""

import pytest

from glacier_inversion.demo.ice_flow import surface_velocity
from glacier_inversion.demo.mountains import build_mountains, grow_ice
from glacier_inversion.demo.observations import find_glaciers, write_observations
from glacier_inversion.demo.rheology import Rheology


@pytest.fixture(scope="session")
def coarse(tmp_path_factory):
    """A region of 200 m cells, grown and observed in a few seconds."""
    mountains = build_mountains(0, 200.0)
    thickness, imbalance = grow_ice(mountains, Rheology())
    velocity = surface_velocity(thickness, mountains.bed, 200.0, Rheology())
    glaciers = find_glaciers(mountains, thickness)
    folder = tmp_path_factory.mktemp("coarse")
    write_observations(folder, mountains, thickness, velocity, glaciers, 0)
    return mountains, thickness, imbalance, velocity, folder
