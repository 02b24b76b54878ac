"""What `ginv demo` prints."""

from __future__ import annotations

from glacier_inversion.demo.demo import DemoReport


def format_demo(report: DemoReport) -> str:
    """Return where the maps are, the errors, and what the intervals hold."""
    heading = f"Errors on {report.n_tested} glaciers never seen"
    lines = [
        f"Maps, for QGIS: {report.drawings}",
        f"Picture:        {report.picture}",
        f"Report:         {report.page}",
        "",
        f"{heading:<34} RMSE     bias",
    ]
    lines += [
        f"  {row.method:<32}{row.rmse:5.1f} m {row.bias:+6.1f} m"
        for row in report.scores
    ]
    levels = "".join(f"{level:6d} %" for level in report.coverages[0].inside)
    lines += ["", f"{'Inside intervals of':<32}{levels}"]
    for coverage in report.coverages:
        shares = "".join(f"{share:6.1f} %" for share in coverage.inside.values())
        lines.append(f"  {coverage.of_what:<30}{shares}")
    n = len(report.calibrated_on)
    lines.append(
        f"Calibrated by the errors on {n} other glaciers, against their radar."
    )
    return "\n".join(lines)
