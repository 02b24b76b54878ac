"""Load a layer definition in QGIS, print its tree of layers as JSON."""

import json
import sys

from qgis.core import (
    QgsApplication,
    QgsLayerDefinition,
    QgsLayerTreeGroup,
    QgsProject,
)

application = QgsApplication([], False)
application.initQgis()


def look(node):
    """Return what QGIS made of a group, or of a layer."""
    seen = {"name": node.name(), "visible": node.isVisible()}
    if isinstance(node, QgsLayerTreeGroup):
        return {**seen, "children": [look(child) for child in node.children()]}
    layer = node.layer()
    if layer is None or not layer.isValid():
        return {**seen, "valid": False}
    renderer = layer.renderer()
    items = renderer.shader().rasterShaderFunction().colorRampItemList()
    return {
        **seen,
        "valid": True,
        "crs": layer.crs().authid(),
        "range": [renderer.classificationMin(), renderer.classificationMax()],
        "colours": [item.color.name() for item in items],
        "first": layer.dataProvider().block(1, layer.extent(), 3, 2).value(0, 0),
        "source": layer.source(),
    }


tree = QgsProject.instance().layerTreeRoot()
loaded, problem = QgsLayerDefinition.loadLayerDefinition(
    sys.argv[1], QgsProject.instance(), tree
)
assert loaded, problem
print(json.dumps(look(tree)))  # noqa: T201  read by the test
