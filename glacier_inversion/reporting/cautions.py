"""What a reader must know before the maps are used: what is wrong, and what to do."""

from __future__ import annotations

from glacier_inversion.reporting.caution import Caution
from glacier_inversion.reporting.check_cautions import of_output
from glacier_inversion.reporting.map_cautions import of_drawing_models, of_maps
from glacier_inversion.reporting.model_cautions import of_files, of_members, of_model
from glacier_inversion.reporting.rows import FeatureRow
from glacier_inversion.reporting.sources import Sources


def find_cautions(sources: Sources, rows: dict[str, list[FeatureRow]]) -> list[Caution]:
    """
    Return what limits the trust in the maps, the gravest first.

    Parameters
    ----------
    rows : dict of list of FeatureRow
        What is known of each feature, by output.
    """
    of_first = next(iter(rows.values()))  # pixels that are drawn are so of every output
    found = [*of_model(sources), *of_drawing_models(sources, of_first)]
    found += of_files(sources)
    for output, own in rows.items():
        found += of_output(sources, output, own)
    return [*found, *of_maps(sources, of_first), *of_members(sources)]
