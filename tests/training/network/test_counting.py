"""Multiply-adds, counted and by the formula."""

import torch

from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.patches.lattice import Layout, to_lattice
from glacier_inversion.patches.scale import Scale
from glacier_inversion.training.network.counting import MultiplyAdds
from glacier_inversion.training.network.dense import plan_dense, run_network
from glacier_inversion.training.network.fused import convolve, is_fused
from glacier_inversion.training.network.network import Network
from glacier_inversion.training.network.predict import BlockInputs
from tests import synthetic
from tests.training.network.helpers import (
    CONCATENATION,
    DOWN,
    TWO,
    conv,
    denses,
    experiment,
    tiles_for,
)


def test_multiply_adds_are_those_of_a_pass():
    "Counted in a pass over another block than the plan's."
    checked = experiment(
        TWO, [CONCATENATION, conv(5), DOWN], {"h": [denses(6, 1)]}, area_size=400.0
    )
    network = Network(checked)
    layout = Layout.of(checked)
    plan = plan_dense(network, layout)
    part = to_lattice(tiles_for(checked, 40, 0), layout)
    scales = {v.name: Scale(0.0, 1.0) for v in checked.inputs}
    whole = BlockInputs(part, layout, scales, torch.device("cpu"))
    n_rows, n_cols = 8 * plan.period, 5 * plan.period
    fields = whole.fields(network, plan, slice(3, 3 + n_rows), slice(2, 2 + n_cols))
    with MultiplyAdds() as counted:
        run_network(network, fields, densely=True)
    assert counted.total == plan.multiply_adds(n_rows, n_cols)
    largest = 0

    def watch(fields):
        nonlocal largest
        largest = max(largest, *(field.values.nbytes for field in fields))

    run_network(network, fields, True, watch)
    assert plan.n_bytes(n_rows, n_cols) == 3 * largest


def test_multiply_adds_are_those_of_the_formula():
    "k² c_in c_out for each pixel of a convolution, n_in n_out of a dense layer."
    experiment = Experiment.model_validate(synthetic.experiment())
    rows = {row.name: row.multiply_adds for row in Network(experiment).table}
    assert rows == {
        "inputs.slope": 0,
        # 3 x 3 of 1 and of 8 channels, and the 1 x 1 shortcut, at 8 x 8 pixels
        "inputs.slope[0] convolutions": 64 * 8 * (9 * 1 + 9 * 8 + 1),
        "inputs.slope[1] downsample": 0,
        "inputs.speed": 0,
        "inputs.speed[0] convolutions": 16 * 8 * (9 * 1 + 1),
        "main[0] concatenation": 0,
        "main[1] convolutions": 16 * 16 * (9 * 16 + 16),
        "main[2] downsample": 0,
        "outputs.thickness[0] denses": 16 * 2 * 2 * 16 + 16,
    }


def test_what_tries_the_fused_operations_is_not_counted():
    "They are tried where a process convolves first, perhaps within a count."
    image, weight = torch.zeros(1, 3, 8, 8), torch.zeros(5, 3, 3, 3)
    is_fused.cache_clear()
    for _ in range(2):
        with torch.no_grad(), MultiplyAdds() as counted:
            convolve(image, weight, None)
        assert counted.calls == [((1, 5, 6, 6), 27)]
