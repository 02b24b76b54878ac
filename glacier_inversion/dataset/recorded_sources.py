"""The files that a dataset's tiles were made from, on record: which have changed."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from glacier_inversion.dataset.rasters import Rasters, turned_with
from glacier_inversion.errors import DatasetError
from glacier_inversion.experiment.rasters import Raster
from glacier_inversion.experiment.sections import DatasetDescription
from glacier_inversion.geodata.archives import file_of
from glacier_inversion.state_files import NewerFileError, read_state, write_state
from glacier_inversion.workspace import Workspace

logger = logging.getLogger(__name__)

SOURCES = "sources.json"
"""The name of the record, in the folder of a dataset."""
_FORMAT = 2  # 1 had no number, and the rasters side by side
# Bytes of a raster's files, which take some seconds to digest. What is larger is taken
# for changed when its time is another.
_MOST_DIGESTED = 2**31

Record = dict[str, Any]
"""What is known of the files of each raster, by its name."""


def record_sources(rasters: Rasters, folder: Path) -> Record:
    """
    Return the name, size, time and digest of each file of every raster.

    Of one that is derived how, and the records of all that it is derived from; of a
    component that is turned, the record of the other one, too.

    Parameters
    ----------
    folder : Path
        Of the dataset. What has the name, size and time that are on record there has
        the digest on record, too, and is not read.

    Raises
    ------
    DatasetError
        A newer version made the record.
    """
    known = _read_sources(folder)
    description, sources = rasters.description, rasters.sources
    files = {name: source.files for name, source in sources.items()}
    files |= {name: points.source.files for name, points in rasters.points.items()}
    records = {
        raster.name: _record(
            raster, files.get(raster.name, ()), _parts_of(known, raster)
        )
        for raster in description.rasters
    }
    for name, source in sources.items():
        if source.masked or source.opacity:  # an earlier version took all for data
            records[name]["masked"] = True
    turned = {
        name: {
            **record,
            "turned": {component: records[component] for component in pair},
        }
        for name, record in records.items()
        if (pair := turned_with(description, sources, name))
    }
    records |= turned
    derived = {
        raster.name: {
            **records[raster.name],
            "of": {a.name: records[a.name] for a in description.ancestors(raster.name)},
        }
        for raster in description.rasters
        if raster.derive is not None
    }
    return records | derived


def _parts_of(known: Record, raster: Raster) -> list[Record]:
    """Return the files of a raster on record, none where it has another one now."""
    record = known.get(raster.name)
    if not isinstance(record, dict) or record.get("file") != raster.file:
        return []
    parts = record.get("parts")
    return [
        part if isinstance(part, dict) else {}
        for part in (parts if isinstance(parts, list) else [])
    ]


def _record(raster: Raster, files: Sequence[Path], known: list[Record]) -> Record:
    if raster.derive is not None:
        return {"derive": raster.derive.model_dump(mode="json")}
    parts = [_look_at(path) for path in files]
    is_small = sum(part["bytes"] for part in parts) <= _MOST_DIGESTED
    for i, (path, part) in enumerate(zip(files, parts, strict=True)):
        before = known[i] if i < len(known) else {}
        digest = before.get("sha256") if part.items() <= before.items() else None
        if not isinstance(digest, str) and is_small:
            digest = _digest(path, part["bytes"], part["modified_ns"])
        part["sha256"] = digest
    return {"file": raster.file, "parts": parts}


def _look_at(path: Path) -> Record:
    status = path.stat()
    return {
        "file": path.name,
        "bytes": status.st_size,
        "modified_ns": status.st_mtime_ns,
    }


@lru_cache(maxsize=1024)  # a file may have several rasters
def _digest(path: Path, n_bytes: int, modified_ns: int) -> str | None:
    """Digest a file of a size and time; None if it changes meanwhile, or goes."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(2**20):
                digest.update(chunk)
        after = path.stat()
    except OSError:
        return None
    is_same = (after.st_size, after.st_mtime_ns) == (n_bytes, modified_ns)
    return digest.hexdigest() if is_same else None


def write_sources(folder: Path, record: Record) -> None:
    """Put the files on record."""
    write_state(folder / SOURCES, {"rasters": record}, _FORMAT)


def find_changed(folder: Path, record: Record) -> list[str]:
    """
    Name the rasters whose tiles were made from other files, by what is on record.

    A file of another time, such as a copy, is the same if its size and digest are.

    Raises
    ------
    DatasetError
        A newer version made the record.
    """
    return _find_unlike(_read_sources(folder), record)


def explain_changes(folder: Path, record: Record) -> dict[str, list[str]]:
    """
    Say of the rasters that `find_changed` names how a dataset was built instead.

    Returns
    -------
    rasters : dict of lists of str
        By what follows "was built", with a place for their names.

    Raises
    ------
    DatasetError
        A newer version made the record.
    """
    known = _read_sources(folder)
    changed = _find_unlike(known, record)
    # an earlier version took what masks hide for data
    unmasked = [n for n in changed if _alike(known.get(n), _without_masks(record[n]))]
    new = [name for name in changed if known and name not in known]
    others = [name for name in changed if name not in {*unmasked, *new}]
    return {
        "without {}": new,
        "from other files of {}": others,
        "with what masks or opacity hide in {}, as data": unmasked,
    }


def _find_unlike(known: Record, record: Record) -> list[str]:
    return [
        name for name, files in record.items() if not _alike(known.get(name), files)
    ]


def _without_masks(record: Record) -> Record:
    """Return a record as earlier versions made it, which knew no masks."""
    return {
        key: _without_masks(value) if isinstance(value, dict) else value
        for key, value in record.items()
        if key != "masked"
    }


def _alike(known: Any, now: Any) -> bool:
    """
    Tell whether what is on record is so still.

    >>> known = {"file": "a.tif", "bytes": 1, "modified_ns": 1, "sha256": "0f"}
    >>> copied, other = known | {"modified_ns": 2}, {"modified_ns": 2, "sha256": "1e"}
    >>> _alike([known], [copied]), _alike([known], [known | other])
    (True, False)
    """
    if isinstance(known, dict) and isinstance(now, dict):
        if "modified_ns" not in now:
            return known.keys() == now.keys() and all(
                _alike(known[key], now[key]) for key in now
            )
        is_equal = {key: known.get(key) == value for key, value in now.items()}
        of_one_time = is_equal["modified_ns"]
        of_one_digest = now.get("sha256") is not None and is_equal["sha256"]
        same_size = is_equal["file"] and is_equal["bytes"]
        return same_size and (of_one_time or of_one_digest)
    if isinstance(known, list) and isinstance(now, list):
        return len(known) == len(now) and all(map(_alike, known, now))
    return bool(known == now)


def warn_of_touched(
    folder: Path, description: DatasetDescription, workspace: Workspace
) -> None:
    """
    Warn of the rasters' files that are others than those on record.

    None is opened but to digest one of the same size and another time. Those that are
    no longer there are passed over, and so are the parts of a virtual raster.

    Raises
    ------
    DatasetError
        A newer version made the record.
    """
    known, touched = _read_sources(folder), []
    for raster in description.rasters:
        parts = _parts_of(known, raster)
        if raster.file is None or not parts:
            continue
        path = file_of(workspace.data(raster.file))
        if path.is_file() and not _is_on_record(path, parts):
            touched.append(raster.file)
    if touched:
        logger.warning(
            "%s: was built before %s changed. What is in the dataset is used. Run "
            "'ginv build-dataset' to make anew what is other",
            folder,
            ", ".join(dict.fromkeys(touched)),
        )


def _is_on_record(path: Path, parts: list[Record]) -> bool:
    now = _look_at(path)
    if any(_alike(part, now) for part in parts):
        return True
    if not any(
        part.get("bytes") == now["bytes"] and part.get("sha256") for part in parts
    ):
        return False
    digest = _digest(path, now["bytes"], now["modified_ns"])
    return any(_alike(part, now | {"sha256": digest}) for part in parts)


def _read_sources(folder: Path) -> Record:
    """Return what is on record; nothing where it is missing or broken."""
    try:
        content = read_state(folder / SOURCES, _FORMAT)
    except NewerFileError as error:
        raise DatasetError(str(error)) from error
    except (OSError, ValueError):
        content = {}
    before = content.get("rasters", content)
    return before if isinstance(before, dict) else {}
