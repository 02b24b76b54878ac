"""Layers of QGIS: every map of a run, by a name of its own, where it lies."""

from xml.etree import ElementTree as ET

from tests.helpers import copy_of


def test_all_maps_of_a_run_are_layers_of_their_own_names(finished, tmp_path):
    "Mosaics first, then feature by feature; of the last run alone."
    run = copy_of(finished, tmp_path)
    run.raw["drawing_description"] |= {"features": ["south", "east"], "profiles": []}
    run.write()
    folder = run.root / "drawings/small"
    result = run("draw")
    assert str(folder / "maps.qlr") in result.stdout.splitlines()
    definition = ET.fromstring((folder / "maps.qlr").read_bytes())
    (whole,) = definition.findall("layer-tree-group/layer-tree-group")
    groups = whole.findall("layer-tree-group")
    assert [group.get("name") for group in (whole, *groups)] == [
        "small",
        "south",
        "east",
    ]
    found = {}
    for layer in definition.findall("maplayers/maplayer"):
        found[layer.findtext("layername")] = layer.findtext("datasource")
    names = [node.get("name") for node in definition.iter("layer-tree-layer")]
    assert list(found) == names
    assert found == {
        f"{whose} thickness {statistic}": f"{place}/thickness_{statistic}.{ending}"
        for whose, place, ending in (
            ("small", ".", "vrt"),
            ("south", "./south", "tif"),
            ("east", "./east", "tif"),
        )
        for statistic in ("mean", "std")
    }
    assert all((folder / source).is_file() for source in found.values())
    run.raw["drawing_description"]["features"] = ["east"]
    run.write()
    assert run("draw").exit_code == 0
    assert b"south" not in (folder / "maps.qlr").read_bytes()


def test_layers_are_coloured_as_their_styles_are(finished):
    "The same element, so the same range."
    folder = finished.root / "drawings/small"
    definition = ET.fromstring((folder / "maps.qlr").read_bytes())
    for layer in definition.iter("maplayer"):
        raster = folder / str(layer.findtext("datasource"))
        style = ET.fromstring(raster.with_suffix(".qml").read_bytes())
        own, styled = (
            ET.canonicalize(ET.tostring(root.find("pipe")), strip_text=True)
            for root in (layer, style)
        )
        assert own == styled
