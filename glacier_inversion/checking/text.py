"""The report of a check as text, to be read at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from glacier_inversion.checking.report import CheckReport, NetworkReport, RasterReport
from glacier_inversion.dataset.point_targets import describe_counts
from glacier_inversion.errors import name_some
from glacier_inversion.progress import duration, two_digits

_MOST_NAMED = 4  # features named in a line


def format_report(report: CheckReport, with_features: bool = False) -> str:
    """Write a report, *with_features* a line for each of them too."""
    parts = [
        ["Data", *_format_data(report)],
        ["Samples", *_format_samples(report)],
        *([["Features", *_format_features(report)]] if with_features else []),
        _format_network(report.network),
        ["Cost, roughly, on this machine", *_format_cost(report)],
    ]
    for key, entries in (("Warnings", report.warnings), ("Problems", report.problems)):
        lines = [line for entry in entries for line in entry.splitlines()]
        parts.append([f"{key}: {len(entries) or 'none'}", *lines])
    return "\n\n".join("\n  ".join(part) for part in parts)


def _format_data(report: CheckReport) -> list[str]:
    outlines, splits = report.outlines, report.splits
    line = f"{outlines.file}: {outlines.status}"
    if outlines.features is not None:
        line = (
            f"{outlines.file}: {outlines.features} features by "
            f"'{outlines.column}', {outlines.crs}"
        )
        sizes = [
            f"{n} {name.replace('_', ' ')}" for name, n in vars(splits).items() if n
        ]
        n_without = outlines.features - sum(n or 0 for n in vars(splits).values())
        if sizes and n_without:
            sizes.append(f"{n_without} that cannot be used")
        line += f": {', '.join(sizes)}" if sizes else ""
    return [line, *_format_rasters(report)]


def _format_rasters(report: CheckReport) -> list[str]:
    rows = [["raster", "", "file", "CRS", "pixel", "tile", "nodata"]]
    rows[0] += ["valid in outlines: least", "median"]
    serving = {of for r in report.rasters for of in (r.derive or {}).get("of", [])}
    for raster in report.rasters:
        role = raster.role or ("derived from" if raster.name in serving else "unused")
        row = [raster.name, role, raster.file or _derivation(raster.derive or {})]
        if raster.status != "found":
            rows.append([*row, raster.status.upper()])
            continue
        rows.append(
            [
                *row,
                *_of_file(raster),
                _percent(raster.valid_min),
                _percent(raster.valid_median),
            ]
        )
    lines = _table(rows)
    for raster in report.rasters:
        names = raster.not_covered
        if raster.points and report.outlines.features is not None:
            lines.append(f"{raster.name}: {describe_counts(raster.points)}")
        if names:
            n_features = len(report.features)
            lines.append(
                f"{raster.name} does not cover {len(names)} of {n_features} tiles "
                f"wholly: {name_some(names, _MOST_NAMED)}"
            )
    return lines


def _of_file(raster: RasterReport) -> list[str]:
    """Say of what CRS, pixels and nodata a file is, and what tiles are made of it."""
    if raster.file is None:
        return ["", "", f"{raster.resolution:g} m", ""]
    if raster.points is not None:
        return [raster.crs or "?", "points", f"{raster.resolution:g} m mean", ""]
    size = raster.pixel_size
    return [
        raster.crs or "?",
        "?" if size is None else f"{size:.4g} m",
        f"{raster.resolution:g} m {raster.resampling}",
        _numbers(raster.nodata or []),
    ]


def _derivation(derive: dict[str, Any]) -> str:
    """
    Name a derivation and what it derives from.

    >>> _derivation({"name": "slope", "of": ["dem"]}), _derivation({"name": "inside"})
    ('slope of dem', 'inside')
    """
    of = ", ".join(derive.get("of", []))
    return f"{derive['name']} of {of}" if of else str(derive["name"])


def _format_samples(report: CheckReport) -> list[str]:
    samples = report.samples
    if samples is None:
        return ["none: trained models are drawn"]
    about = "" if samples.exact else "about "
    if samples.train is None:
        return ["unknown: they need the outlines and the outputs' rasters"]
    lines = [
        f"{about}{samples.train:,} of training and {_count(samples.validation)} "
        f"of validation an epoch, one in each {samples.spacing:g} m cell with a "
        "known target",
        f"{about}{samples.steps_per_epoch:,} steps of {samples.batch_size} an epoch",
    ]
    if samples.mixed_in:
        lines[1] += f", with {about}{samples.mixed_in:,} samples of extra_training"
    known: dict[str, int] = {}
    for feature in report.features:
        for name, n in (feature.known_pixels or {}).items():
            known[name] = known.get(name, 0) + n
    n_read, n_features = samples.features_read, len(report.features)
    within = "" if n_read == n_features else f" in the {n_read} features that were read"
    lines += [f"{name}: {n:,} known pixels{within}" for name, n in known.items()]
    return lines


def _format_features(report: CheckReport) -> list[str]:
    names = [raster.name for raster in report.rasters if raster.status == "found"]
    rows = [["feature", "split", "km2", "samples"]]
    rows[0] += [
        f"{raster.name} {'valid' if raster.not_covered is None else 'covered, valid'}"
        for raster in report.rasters
        if raster.name in names
    ]
    for feature in report.features:
        valid = feature.valid or {}
        rows.append(
            [
                feature.id,
                feature.split or "none",
                f"{feature.area_km2:.2f}",
                _count(feature.samples),
                *(
                    f"{_percent(feature.coverage[n])}, {_percent(valid.get(n))}"
                    if n in feature.coverage
                    else _percent(valid.get(n))
                    for n in names
                ),
            ]
        )
    return _table(rows)


def _format_network(network: NetworkReport | None) -> list[str]:
    if network is None:
        return ["Network: that of each model"]
    head = f"Network ({network.architecture}): "
    if network.parameters is None:
        return [f"{head}does not fit, see the problems"]
    head += (
        f"{network.parameters:,} parameters, {network.multiply_adds:,} multiply-adds a "
        "patch"
    )
    rows = [["operation", "gives", "parameters", "multiply-adds"]]
    for row in network.operations:
        shapes = row.shape if isinstance(row.shape[0], list) else [row.shape]
        rows.append(
            [
                row.name,
                ", ".join(" x ".join(map(str, shape)) for shape in shapes),
                f"{row.parameters:,}",
                f"{row.multiply_adds:,}",
            ]
        )
    return [head, *_table(rows, right=(2, 3))]


def _format_cost(report: CheckReport) -> list[str]:
    train, draw = report.train, report.draw
    rows = []
    if train is not None:
        seconds, size = train.seconds_per_epoch, _size(train.memory_bytes)
        each = f"{duration(seconds)} each"
        if seconds is None and train.seconds_per_sample is not None:
            each = f"{duration(1000 * train.seconds_per_sample)} per 1,000 samples"
            size = f"> {_size(train.network_bytes)}"  # and what the data need
        epochs = f"{train.seeds} seeds of at most {train.epochs} epochs, {each}"
        rows.append(["train", duration(train.seconds), size, epochs])
    drawn = f"{_count(draw.features)} features, {_count(draw.pixels)} pixels"
    if draw.pixels is None and draw.seconds_per_pixel is not None:
        drawn = f"{duration(1000 * draw.seconds_per_pixel)} per 1,000 pixels"
    drawn += f", with {train.seeds} seeds" if train is not None else ""
    rows.append(["draw", duration(draw.seconds), _size(draw.memory_bytes), drawn])
    return [*_table(rows), "memory besides that of Python and torch themselves"]


def _table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """
    Align columns, to the left but for those named; rows may be short.

    >>> _table([["a", "bb"], ["ccc", "d"]], right=(1,))
    ['a    bb', 'ccc   d']
    """
    widths = [max(map(len, column)) for column in zip_longest(*rows, fillvalue="")]
    return [
        "  ".join(
            text.rjust(widths[i]) if i in right else text.ljust(widths[i])
            for i, text in enumerate(row)
        ).rstrip()
        for row in rows
    ]


def _numbers(nodata: list[float | str]) -> str:
    """
    Write what means no data, three numbers at most.

    >>> _numbers([-9999.0, 0.0]), _numbers(["nan"]), _numbers([]), _numbers([1.0] * 5)
    ('-9999, 0', 'nan', 'none', '1, 1, 1, ...')
    """
    shown = [n if isinstance(n, str) else f"{n:g}" for n in nodata[:3]]
    return ", ".join(shown + ["..."] * (len(nodata) > 3)) or "none"


def _count(number: int | None) -> str:
    return "?" if number is None else f"{number:,}"


def _percent(share: float | None) -> str:
    """
    Write a share; what is not all is never 100 %, what is not nothing never 0 %.

    >>> _percent(0.9999), _percent(1.0), _percent(0.0001), _percent(None)
    ('99.9 %', '100 %', '0.1 %', '?')
    """
    if share is None:
        return "?"
    if share in (0, 1):
        return f"{share:.0%}".replace("%", " %")
    return f"{min(max(100 * share, 0.1), 99.9):.1f} %"


def _size(n_bytes: int | None) -> str:
    """
    Write a number of bytes.

    >>> _size(24_730_821), _size(3_210_000_000), _size(1)
    ('25 MB', '3.2 GB', '1 MB')
    """
    if n_bytes is None:
        return "?"
    if n_bytes >= 1e9:
        return f"{two_digits(n_bytes / 1e9)} GB"
    return f"{two_digits(max(n_bytes / 1e6, 1))} MB"
