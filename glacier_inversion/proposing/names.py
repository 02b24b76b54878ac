"""What a raster is, as far as the name of its file and its unit tell."""

from __future__ import annotations

import re

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
# Of files that say how good others are, or what shall not be taken for a surface.
_OTHERS = {
    *("error", "err", "std", "stderr", "uncertainty", "sigma", "nmad", "count"),
    *("mask", "date", "quality", "hillshade", "aspect", "bed", "dhdt"),
}
_UNITS = {
    **dict.fromkeys(("degree", "degrees", "deg"), "slope"),
    **dict.fromkeys(("m/yr", "m/y", "m/a", "m yr-1", "m a-1", "meter/year"), "speed"),
}


def recognize(name: str, unit: str | None = None) -> str | None:
    """
    Return the variable that a raster holds, None where neither name nor unit tells.

    Names as those of Copernicus, swissALTI3D, ITS_LIVE, Millan et al. (2022) and
    Farinotti et al. (2019) are known.

    >>> recognize("RGI60-11.01450_thickness"), recognize("VX_RGI-11_2021July01")
    ('ice_thickness', 'vx')
    >>> recognize("Copernicus_DSM_COG_10_N46_00_E007_00_DEM"), recognize("IceThickness")
    ('dem', 'ice_thickness')
    >>> recognize("ITS_LIVE_velocity_120m_RGI11A_0000_v02_v"), recognize("vx_error")
    ('speed', None)
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    words = {
        word
        for text in (name, spaced)
        for word in re.split(r"[^a-z0-9]+", text.casefold())
    }
    if words & _OTHERS:
        return None
    if words & _WORDS["speed"]:
        for axis in "xy":
            if axis in words:
                return f"v{axis}"
    for variable, known in _WORDS.items():
        if words & known:
            return variable
    return _UNITS.get((unit or "").strip().casefold())
