"""Every metric of evaluation is told wherever errors are, for each kind of output."""

import csv
import io
import json
import re

import numpy as np
import pytest

from glacier_inversion.evaluation.baselines import Method
from glacier_inversion.evaluation.coverage_table import COLUMNS
from glacier_inversion.evaluation.metrics import KINDS, REGRESSION
from glacier_inversion.evaluation.pixels import KnownPixels
from glacier_inversion.evaluation.score_table import format_metrics
from glacier_inversion.evaluation.scores import score_output
from glacier_inversion.evaluation.tables import format_csv
from glacier_inversion.reporting.quantities import NOTHING
from tests.helpers import ROOT, copy_of

EACH_KIND = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
IN_THE_GUIDE = {"regression": "Errors", "classification": "Probabilities"}


@pytest.fixture
def metrics():
    """What metrics.json holds of 0 and 1, measured as each kind, on eight features."""
    rng = np.random.default_rng(4)
    feature = np.repeat(np.arange(8), 20)
    place, names = np.arange(160.0), list("abcdefgh")
    members = rng.uniform(0.0, 1.0, (2, 160))
    observed = (rng.uniform(0.0, 1.0, 160) < members.mean(axis=0)).astype(float)
    noise = np.full(160, np.nan)
    pixels = KnownPixels(names, feature, place, place, observed, {}, members, noise)
    methods = [Method("mean", "mean", {}, np.full(160, 0.6))]
    outputs = {
        name: score_output(kind, pixels, [0, 1], methods, None, None)
        for name, kind in KINDS.items()
    }
    return {"model": "small", "split": "test", "outputs": outputs}


def test_every_column_of_metrics_has_numbers(metrics):
    "In the file; and in a terminal each metric has its own below its title."
    rows = list(csv.DictReader(io.StringIO(format_csv(metrics))))
    empty = {column for column in rows[0] if not any(row[column] for row in rows)}
    assert empty == set(COLUMNS)  # of uncertainties, which are not scored here
    tables = re.findall(r"^ +n +(.+)\n(mean of .+)$", format_metrics(metrics), re.M)
    for kind, (heads, numbers) in zip(KINDS.values(), tables, strict=True):
        titles = [metric.column for metric in kind.metrics]
        assert re.split(" {2,}", heads) == [*titles, "skill"]
        assert len(re.split(" {2,}", numbers)) == 2 + len(titles) + 1


@EACH_KIND
def test_every_metric_is_a_column_of_the_report(reported, tmp_path, kind):
    "Where all checks are; and one of its words, those of a measure."
    run = copy_of(reported, tmp_path / "other")
    for path in (run.root / "evaluations/small").glob("*/metrics.json"):
        content = json.loads(path.read_text())
        scores = content["outputs"]["thickness"] | {"kind": kind.name}
        scores["ensemble"] |= {metric.name: 0.25 for metric in kind.metrics}
        del scores["uncertainty"]
        content["outputs"]["thickness"] = scores
        path.write_text(json.dumps(content))
    assert run("report").exit_code == 0
    page = (run.root / "reports/small.html").read_text(encoding="utf-8")
    (table,) = re.findall(r"<caption>Each check of .*?</table>", page, re.DOTALL)
    heads = re.findall(r'<th scope="col"[^>]*>(.*?)</th>', table)
    titles = [metric.title for metric in kind.metrics]
    assert sorted(heads[4:]) == sorted(titles)
    for row in re.findall(r'<tr><th scope="row">.*?</tr>', table):
        cells = re.findall(r"<td[^>]*>(.*?)</td>", row)
        assert len(cells) == len(heads) - 1
        assert NOTHING not in cells
    words = ", ".join(re.findall(r"<dt>(.*?)</dt>", page)).split(", ")
    # it says nothing of the words for probabilities
    assert kind is not REGRESSION or set(titles) <= set(words)


@EACH_KIND
def test_every_metric_is_in_the_guide(kind):
    "In the paragraph on metrics of its kind."
    text = (ROOT / "docs/guide.md").read_text(encoding="utf-8")
    (told,) = re.findall(
        rf"^- \*\*{IN_THE_GUIDE[kind.name]}\.\*\*(.+?)^(?:- |\n)",
        text,
        re.M | re.DOTALL,
    )
    for metric in kind.metrics:
        assert re.search(rf"\b{re.escape(metric.column)}\b", told), metric.name
