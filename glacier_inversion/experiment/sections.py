"""
The sections of the experiment file: every key, its type, default and meaning.

What a single value must be stands here; what values must be to each other stands in
`glacier_inversion.experiment.consistency`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Union, get_args

from pydantic import (
    BeforeValidator,
    Field,
    field_validator,
    model_validator,
)

from glacier_inversion.choices import MEMBER_STATISTIC, FeatureGroup
from glacier_inversion.experiment.beds import Bed
from glacier_inversion.experiment.derived_from import find_ancestors
from glacier_inversion.experiment.operation import Operation, find_operations
from glacier_inversion.experiment.rasters import Raster
from glacier_inversion.experiment.raw import (
    MOST_ENTRIES,
    MOST_VARIABLES,
)
from glacier_inversion.experiment.transforms import Transform
from glacier_inversion.experiment.values import (
    DataFile,
    FolderName,
    Length,
    ModelPlace,
    PositiveInt,
    Section,
    Text,
)

CALIBRATED = "uncertainty|lower68|upper68|lower95|upper95"
"""The names of statistics that follow from a model's calibration, as a pattern."""
NOISE = "noise"
"""The name of the statistic that follows from variances which members predict."""
APPLICABILITY = "applicability"
"""The name of the statistic that says how unlike training points a point is."""
STATISTIC = f"{MEMBER_STATISTIC}|{NOISE}|{APPLICABILITY}|{CALIBRATED}"
"""The names of statistics, as a pattern."""
_N_STATISTICS = sum(100 if "[" in name else 1 for name in STATISTIC.split("|"))

if TYPE_CHECKING:
    AnyOperation = Operation
else:  # which there are is known when their folders have been looked at
    AnyOperation = Annotated[
        Union[tuple(find_operations().values())],  # noqa: UP007
        Field(discriminator="name"),
    ]


Pair = Annotated[list[Text], Field(min_length=2, max_length=2)]
"""The names of the components of a vector, along x and along y."""


class Variable(Section):
    """A variable that the network reads."""

    name: Text = Field(description="A raster of dataset_description.rasters.")
    resolution: Length = Field(
        description="Side of a pixel, in CRS units; the raster's own."
    )
    scalar: bool = Field(
        default=False,
        description="The value at the centre of the patch, not an image. Outputs are "
        "always scalar.",
    )


class Output(Variable):
    """A variable that the network predicts."""

    transform: Transform | None = Field(
        default=None,
        description="What the network learns in the place of the target: 'log' or "
        "'sqrt' of one that is not below 0. What members predict is transformed back; "
        "null: the target itself.",
    )

    @model_validator(mode="before")
    @classmethod
    def _scalar(cls, value: Any) -> Any:
        """Say what it is, whether the file does or not."""
        return {"scalar": True} | value if isinstance(value, dict) else value


class Branch(Section):
    """A part of the network: operations, in order."""

    operations: list[AnyOperation] = Field(
        max_length=MOST_ENTRIES, description="Operations, in order."
    )


class ModelDescription(Section):
    """The network. Entries for variables that are not used are ignored."""

    inputs: dict[str, Branch] = Field(
        max_length=MOST_ENTRIES, description="Operations on each input."
    )
    main: Branch = Field(description="Operations on what the inputs became.")
    outputs: dict[str, Branch] = Field(
        max_length=MOST_ENTRIES, description="Operations towards each output."
    )

    @field_validator("main", mode="before")
    @classmethod
    def _published_main(cls, value: Any) -> Any:
        """Accept ``main: {main: {operations}}``, as published."""
        if isinstance(value, dict) and set(value) == {"main"}:
            return value["main"]
        return value


class Split(Section):
    """Which features train, validate and test: by column, or by chance."""

    field: Text | None = Field(
        default=None,
        description="Column of the outlines: 0 train, 1 validation, 2 test; or empty.",
    )
    fractions: list[Annotated[float, Field(ge=0, le=1)]] | None = Field(
        default=None,
        min_length=3,
        max_length=3,
        description="Shares of the features for train, validation, test; sum 1.",
    )
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = Field(
        default=0, description="Decides which features, with fractions."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Split:
        if (self.field is None) == (self.fractions is None):
            message = "Must hold either 'field' or 'fractions'"
            raise ValueError(message)
        if self.fractions is not None and abs(sum(self.fractions) - 1) > 1e-6:
            message = f"fractions add up to {sum(self.fractions):g}. Must be 1"
            raise ValueError(message)
        return self


class DatasetDescription(Section):
    """Outlines and rasters, and the tiles to make of them."""

    dataset_name: FolderName = Field(description="Folder in the workspace's datasets.")
    epsg: PositiveInt = Field(
        description="EPSG code of the CRS of the tiles; projected, in metres."
    )
    shapefile_file: DataFile = Field(
        description="Outlines: any vector file that OGR reads, in the data folder, or "
        "its whole path."
    )
    shapefile_layer: Text | None = Field(
        default=None,
        description="Layer of the file of outlines. Needed where it holds several.",
    )
    shapefile_fieldname: Text | None = Field(
        default=None,
        description="Column of the outlines that holds the feature's id. Default: that "
        "of RGI 6 (RGIId), RGI 7 (rgi_id) or SGI 2016 (sgi-id), whichever there is.",
    )
    buffer_distance: Annotated[float, Field(ge=0, le=1e6)] = Field(
        description="Distance added to an outline's bounds on each side, CRS units."
    )
    rasters: list[Raster] = Field(
        min_length=1, max_length=MOST_ENTRIES, description="The variables."
    )
    vectors: list[Pair] = Field(
        default=[],
        max_length=MOST_VARIABLES,
        description="Pairs of rasters, the components of a vector along x and y of "
        "their files' CRS, in a geographic one towards east and north. Where that is "
        "another CRS they are turned to the axes of the tiles; and augmentation turns "
        "them with the image.",
    )
    split: Split | None = Field(
        default=None,
        description="Default: by the column 'train' where there is one, else fractions "
        "0.7, 0.15, 0.15 with seed 0.",
    )

    def raster(self, name: str) -> Raster:
        """Return the raster called *name*."""
        return next(raster for raster in self.rasters if raster.name == name)

    def pair_of(self, name: str) -> list[str] | None:
        """Return the names of the vector that a raster is a component of."""
        return next((pair for pair in self.vectors if name in pair), None)

    def ancestors(self, name: str) -> list[Raster]:
        """Return the rasters that one is derived from, at whatever remove."""
        parents = {r.name: r.derive.rasters if r.derive else [] for r in self.rasters}
        return [self.raster(ancestor) for ancestor in find_ancestors(name, parents)]


def _ids(value: Any) -> Any:
    """Turn the ids of numeric columns into text; refuse what names no features."""
    if isinstance(value, list) and all(type(item) in (str, int) for item in value):
        return [str(item) for item in value]
    if value in get_args(FeatureGroup):
        return value
    message = f"Must be a list of ids, or one of {', '.join(get_args(FeatureGroup))}"
    raise ValueError(message)


class DrawingDescription(Section):
    """What to draw, and with which models."""

    features: Annotated[
        list[Text] | FeatureGroup,
        BeforeValidator(_ids, json_schema_input_type=list[Text | int] | FeatureGroup),
    ] = Field(
        description="Ids of features, or 'all'; or 'train', 'validation' or 'test': "
        "the features that the model was trained, validated or tested on."
    )
    profiles: list[FolderName] = Field(
        default=[],
        max_length=MOST_ENTRIES,
        description="Names of line files in data/profiles, without .shp.",
    )
    models: list[ModelPlace] = Field(
        max_length=MOST_ENTRIES,
        description="Trained models: names in the workspace, or paths to the folders "
        "of models elsewhere, absolute or relative to the workspace.",
    )
    blend: FolderName | None = Field(
        default=None,
        description="The name of a blend: the models are drawn, evaluated and "
        "calibrated as one ensemble, with as many members of each. null: each by "
        "itself.",
    )
    statistics: list[Annotated[str, Field(pattern=f"^({STATISTIC})$")]] = Field(
        default=["mean", "std"],
        min_length=1,
        max_length=_N_STATISTICS,
        description="Statistics over the members: mean, std (ddof 1), median, min, "
        "max, or quantiles such as q05. Of outputs with the loss gaussian_nll or "
        "nan_gaussian_nll also noise, the standard deviation of the noise in the data "
        "as the members say. Also applicability: how unlike all that the model was "
        "trained on a place is, above 1 beyond what training points differ by. And "
        "those of a model that 'ginv crossval' has calibrated: uncertainty, the "
        "standard error; lower68, upper68, lower95 and upper95, the bounds of its 68 "
        "and 95 % intervals.",
    )
    clip_to_outline: bool = Field(
        default=True, description="Draw inside the outline only."
    )
    resolution: Length | None = Field(
        default=None,
        description="Distance of the drawn points, in CRS units: a whole multiple of "
        "the finest resolution, which is the default.",
    )
    bed: Bed | None = Field(
        default=None,
        description="Draw the bed below the ice, too, as THICKNESS_bed; null: no bed.",
    )


class Sampling(Section):
    """Which points of the lattice become samples."""

    spacing: Length | None = Field(
        default=None,
        description="Side of the cells, in CRS units. In each epoch a cell gives a "
        "point for every output that is known in it, one for all of them where that "
        "can be. "
        "Default: area_size. The finest resolution takes every point.",
    )
    jitter: bool = Field(
        default=True,
        description="Draw the point of a cell anew in each epoch, from the seed; else "
        "the one nearest to the cell's centre, as in validation and test.",
    )
    dense: Annotated[int, Field(ge=2, le=256)] | None = Field(
        default=None,
        description="Side of crops, in cells, rounded up to what pools need: the "
        "samples of a crop are evaluated in one pass, and batches are made of whole "
        "crops; half the batch_size of patches is about as good. For networks without "
        "zero padding, targets nearly everywhere, and a spacing far below area_size. "
        "Default: a patch for each sample.",
    )


class ExtraTraining(Section):
    """Samples of another dataset, mixed into every batch of training."""

    dataset: FolderName = Field(
        description="Folder in the workspace's datasets: one that is built, with the "
        "same inputs and outputs at the same resolutions. The features that its own "
        "split trains on are mixed in, but for those on the ground of features that "
        "are kept apart from training. Normalisation and 'start' are of both, by their "
        "shares of an epoch; validation and test are of dataset_description alone."
    )
    share: Annotated[float, Field(gt=0, lt=1)] = Field(
        description="Share of each batch, rounded to whole samples; one at least."
    )


class Augmentation(Section):
    """Turned and mirrored copies of the training patches, drawn at random."""

    flips: bool = Field(default=False, description="Mirror patches.")
    rotations: bool = Field(default=False, description="Turn patches by 90 degrees.")
    vectors: list[Pair] = Field(
        default=[],
        max_length=MOST_VARIABLES,
        description="Pairs of inputs, the components of a vector along x and y of the "
        "tiles: they turn with the image. Where they are left out, those of "
        "dataset_description.vectors do.",
    )
