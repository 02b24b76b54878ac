"""The code on the documentation's pages runs, and does what the pages say."""

import contextlib
import io
import re
from pathlib import Path

import numpy as np
import rasterio

ROOT = Path(__file__).parent.parent
CODE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def test_the_page_of_python_runs(run, monkeypatch):
    "From top to bottom, in a folder that holds an experiment and its data."
    monkeypatch.chdir(run.root)
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    names: dict = {}
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        for code in CODE.findall(page):
            exec(compile(code, "api.md", "exec"), names)
    assert "models/of-somebody-else: is no model." in said.getvalue()
    assert f"{len(names['trained'].members)} members in" in said.getvalue()
    (predicted,) = names["maps"].values()
    path = run.root / f"drawings/small/{names['feature']}/thickness_mean.tif"
    with rasterio.open(path) as src:
        drawn = src.read(1)
    # the map on disk is a part of the one that was predicted, of its outline alone
    x, y = ~predicted.transform @ (src.transform.c, src.transform.f)
    rows = slice(round(y), round(y) + drawn.shape[0])
    cols = slice(round(x), round(x) + drawn.shape[1])
    assert np.isfinite(drawn).any()
    np.testing.assert_array_equal(
        predicted.mean[rows, cols][np.isfinite(drawn)], drawn[np.isfinite(drawn)]
    )
