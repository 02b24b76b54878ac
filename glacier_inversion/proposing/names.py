"""What a raster is, as far as its name tells."""

from __future__ import annotations

import re
from itertools import pairwise

# In the order in which they are looked for: "surface_velocity_vx" is vx.
_WORDS = {
    "vx": {"vx", "uvel", "uvelsurf", "uvelsurfobs"},
    "vy": {"vy", "vvel", "vvelsurf", "vvelsurfobs"},
    "ice_thickness": {"thickness", "thk", "thkobs", "icethickness"},
    "slope": {"slope"},
    "speed": {"speed", "velocity", "vel", "v", "velsurf", "velsurfobs", "magnitude"},
    "dem": {
        *("dem", "dtm", "dsm", "dhm", "elevation", "elev", "surface", "surf"),
        *("usurf", "usurfobs", "topo", "altitude", "swissalti3d", "arcticdem"),
        *("rema", "srtm", "nasadem", "gdem", "aw3d30", "copdem"),
    },
}
# Of files that say how good others are, how something changes, one component of what
# is not along x or y, or what shall not be taken for a surface.
_OTHERS = {
    *("error", "err", "std", "stderr", "uncertainty", "sigma", "nmad", "count"),
    *("mask", "date", "quality", "hillshade", "hs", "aspect", "curvature"),
    *("change", "difference", "diff", "dh", "dhdt", "balance", "smb", "melt"),
    *("temperature", "bed", "bedrock", "rock", "east", "north", "u"),
}


def recognize(name: str) -> str | None:
    """
    Return the variable that a raster of this name holds, None where it does not tell.

    Names as those of Copernicus, swissALTI3D, ITS_LIVE, Millan et al. (2022) and
    Farinotti et al. (2019) are known.

    >>> recognize("RGI60-11.01450_thickness"), recognize("VX_RGI-11_2021July01")
    ('ice_thickness', 'vx')
    >>> recognize("Copernicus_DSM_COG_10_N46_00_E007_00_DEM"), recognize("IceThickness")
    ('dem', 'ice_thickness')
    >>> recognize("ITS_LIVE_velocity_120m_RGI11A_0000_v02_v"), recognize("vx_error")
    ('speed', None)
    >>> recognize("Slope25m"), recognize("velocity_x"), recognize("dem_change")
    ('slope', 'vx', None)
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    parts = [re.split(r"[^a-z0-9]+", text.casefold()) for text in (name, spaced)]
    words = {word for text in parts for word in text}
    # without years and sizes: "dem2010"; but a version, "v02", is no speed
    words |= {re.sub(r"^\d+|\d+m?$", "", word) for word in words} - {"v", "u"}
    if words & _OTHERS:
        return None
    for first, second in pairwise(parts[0]):
        if first in _WORDS["speed"] and second in ("x", "y"):
            return f"v{second}"
    return next((found for found, known in _WORDS.items() if words & known), None)
