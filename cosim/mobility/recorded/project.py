"""Latitude and longitude to metres on a plane."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosim.errors import MobilityError
from cosim.mobility.recorded.samples import refuse

FloatArray = NDArray[np.float64]


def centre_of(places_deg: FloatArray) -> tuple[float, float]:
    """The mean latitude and longitude of places (K, 2) in degrees; longitudes are counted from
    the first one's, so that the date line is no edge."""
    first = places_deg[0, 1]
    off = (places_deg[:, 1] - first + 180.0) % 360.0 - 180.0
    longitude = (first + off.mean() + 180.0) % 360.0 - 180.0
    return float(places_deg[:, 0].mean()), float(longitude)


def to_metres(places_deg: FloatArray, centre_deg: tuple[float, float], file: Path) -> FloatArray:
    """Places (K, 2) in degrees as x (east) and y (north) (K, 2) in m from the centre.

    The azimuthal equidistant projection on WGS 84 (Snyder, USGS Professional Paper 1395, 1987,
    ch. 25): distances from the centre are true, others within 1e-5 for 50 km around it. By pyproj
    (MIT); MobilityError where it is not installed, or for a place that has no image.
    """
    try:
        import pyproj
    except ImportError:
        raise MobilityError(
            f"{file}: latitudes and longitudes need the package pyproj; install it with: "
            "pip install 'cosim[traces]'"
        ) from None
    latitude, longitude = centre_deg
    projection = pyproj.Proj(proj="aeqd", lat_0=latitude, lon_0=longitude, datum="WGS84")
    x, y = projection(places_deg[:, 1], places_deg[:, 0])
    metres = np.stack([x, y], axis=-1)
    if not np.all(np.isfinite(metres)):
        raise refuse(file, None, "has places on the other side of the earth from its centre")
    return np.asarray(metres, dtype=np.float64)
