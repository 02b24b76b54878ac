"""Load rasters in QGIS, print what it made of them as JSON, render them as PNG."""

import json
import sys

from qgis.core import (
    QgsApplication,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsRasterLayer,
)
from qgis.PyQt.QtCore import QSize

application = QgsApplication([], False)
application.initQgis()
picture, *paths = sys.argv[1:]
layers = [QgsRasterLayer(path, path) for path in paths]
seen = []
for layer in layers:
    renderer = layer.renderer()
    items = renderer.shader().rasterShaderFunction().colorRampItemList()
    seen.append(
        {
            "valid": layer.isValid(),
            "crs": layer.crs().authid(),
            "range": [renderer.classificationMin(), renderer.classificationMax()],
            "colours": [item.color.name() for item in items],
        }
    )
settings = QgsMapSettings()
settings.setLayers(layers[:1])
settings.setDestinationCrs(layers[0].crs())
settings.setExtent(layers[0].extent())
settings.setOutputSize(QSize(400, 400))
job = QgsMapRendererParallelJob(settings)
job.start()
job.waitForFinished()
job.renderedImage().save(picture)
print(json.dumps(seen))  # noqa: T201  read by the test
