"""All maps of a run as layers of QGIS, with names that tell the features apart."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from glacier_inversion.drawing.styles import DrawnMaps, Range, Ranges, colouring
from glacier_inversion.files import write_bytes
from glacier_inversion.workspace import mosaic_path

LAYERS = "maps.qlr"
"""The name of the file, in the folder of a model's drawings."""
_IS_CHECKED = {True: "Qt::Checked", False: "Qt::Unchecked"}


def write_layers(
    folder: Path, model: str, maps: DrawnMaps, ranges: Ranges, epsg: int
) -> Path:
    """
    Write a layer definition of QGIS for the maps and mosaics of a run.

    One group, called as the model: on top the mosaics, of which the first is seen, then
    a group for each feature, closed and not seen. Layers are called after the model or
    the feature, the output and the statistic; they have the colours and the ranges of
    the styles. Paths are relative: the folder can be moved as a whole.

    Parameters
    ----------
    folder : Path
        That of the model's drawings.
    epsg : int
        The CRS of the maps.

    Raises
    ------
    WorkspaceError
        The file cannot be written.
    """
    definition = Element("qlr")
    # that which QGIS has around what a user has chosen
    whole = _add_group(definition, "", is_seen=True)
    layers = SubElement(definition, "maplayers")

    def add(group: Element, whose: str, paths: Iterable[Path], is_seen: bool) -> None:
        for path, (output, statistic) in zip(paths, maps, strict=True):
            name = f"{whose} {output} {statistic}"
            _add_layer(
                group,
                layers,
                name,
                f"./{path.relative_to(folder).as_posix()}",
                is_seen,
            )
            _describe(layers[-1], epsg, statistic, ranges[output, statistic])
            is_seen = False

    of_model = _add_group(whole, model, is_seen=True)
    add(of_model, model, (mosaic_path(folder, *what) for what in maps), True)
    for of_feature in zip(*maps.values(), strict=True):
        feature = of_feature[0].parent.name
        add(_add_group(of_model, feature, is_seen=False), feature, of_feature, True)
    indent(definition)
    path = folder / LAYERS
    write_bytes(
        path, b"<!DOCTYPE qgis-layer-definition>\n" + tostring(definition) + b"\n"
    )
    return path


def _add_group(parent: Element, name: str, is_seen: bool) -> Element:
    """Add a group of layers, open where it is seen."""
    return SubElement(
        parent,
        "layer-tree-group",
        name=name,
        checked=_IS_CHECKED[is_seen],
        expanded=str(int(is_seen)),
    )


def _add_layer(
    group: Element, layers: Element, name: str, source: str, is_seen: bool
) -> None:
    """Add a raster to a group, and to the list of layers."""
    number = f"layer_{len(layers)}"  # QGIS gives it one of its own
    SubElement(
        group,
        "layer-tree-layer",
        id=number,
        name=name,
        source=source,
        providerKey="gdal",
        checked=_IS_CHECKED[is_seen],
        expanded="0",
    )
    layer = SubElement(layers, "maplayer", type="raster")
    SubElement(layer, "id").text = number
    SubElement(layer, "datasource").text = source
    SubElement(layer, "layername").text = name
    SubElement(layer, "provider").text = "gdal"


def _describe(layer: Element, epsg: int, statistic: str, shown: Range) -> None:
    """Say in which CRS a layer is, without which QGIS asks, and how it is coloured."""
    crs = SubElement(SubElement(layer, "srs"), "spatialrefsys")
    SubElement(crs, "authid").text = f"EPSG:{epsg}"
    layer.append(colouring(statistic, shown))
