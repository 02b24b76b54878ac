"""Predictions at points: both ways, of every member, in its place."""

import dataclasses
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from glacier_inversion.experiment.consistency import architectures
from glacier_inversion.patches.lattice import Layout, to_lattice
from glacier_inversion.patches.scale import Scale
from glacier_inversion.training.network import predict, threads
from glacier_inversion.training.network.counting import MultiplyAdds
from glacier_inversion.training.network.dense import plan_dense
from glacier_inversion.training.network.devices import CPU
from glacier_inversion.training.network.network import Network
from glacier_inversion.training.network.predict import BlockInputs, predict_points
from tests.training.network.helpers import (
    CONCATENATION,
    DOWN,
    FINEST,
    TWO,
    assert_same,
    by_hand,
    conv,
    denses,
    experiment,
    predictions,
    tiles_for,
)


@pytest.mark.parametrize("architecture", architectures())
def test_both_ways_equal_patches_cut_out_by_hand(architecture):
    "Two resolutions, a pool of odd sizes, a scalar, two outputs, unknown pixels."
    checked = experiment(
        TWO,
        [CONCATENATION, conv(5), DOWN],
        {"h": [denses(6, 1)], "w": [conv(3), denses(1, activation="sigmoid")]},
        area_size=22 * FINEST,
        architecture=architecture,
        min_valid=0.9,
    )
    torch.manual_seed(1)
    network = Network(checked)
    tiles = tiles_for(checked, 11, seed=2, unknown=0.08)
    usable, dense = predictions(checked, tiles, "dense", torch.float64, network)
    assert 10 < usable.sum() < 0.9 * usable.size
    _, patches = predictions(checked, tiles, "patches", torch.float64, network)
    expected = by_hand(checked, tiles, network, usable)
    for name, truth in expected.items():
        assert_same(dense[name], truth, 1e-12)
        assert_same(patches[name], truth, 1e-12)


@pytest.fixture
def pools(monkeypatch):
    """The pools of threads that were started."""
    started = []

    def note(*given, **more):
        started.append(ThreadPoolExecutor(*given, **more))
        return started[-1]

    monkeypatch.setattr(threads, "ThreadPoolExecutor", note)
    return started


@pytest.mark.parametrize("n_members", [1, 3])
@pytest.mark.parametrize("method", ["auto", "dense", "patches"])
@pytest.mark.parametrize("is_worth_threads", [False, True])
def test_members_and_pieces_keep_their_places(
    monkeypatch, pools, n_members, method, is_worth_threads
):
    "Wanted points are scattered and compact; memory allows but small pieces."
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    if is_worth_threads:
        monkeypatch.setattr(predict, "_WORTH_THREADS", 0)
    checked = experiment(
        TWO, [CONCATENATION, conv(5), DOWN], {"h": [denses(6, 1)]}, area_size=400.0
    )
    layout = Layout.of(checked)
    tiles = tiles_for(checked, 50, 3)
    part = to_lattice(tiles, layout)
    wanted = np.random.default_rng(0).random(part.usable.shape) < 0.02
    wanted[5:30, 20:40] = True
    scales = {v.name: Scale(0.3, 1.7) for v in checked.inputs}
    one = BlockInputs(part, layout, scales, torch.device("cpu"), torch.float64)
    members = []
    for seed in range(n_members):
        torch.manual_seed(seed)
        members.append(Network(checked).double().eval())
    small = dataclasses.replace(CPU, most_bytes=1e5, most_patches=7)
    plan = plan_dense(members[0].float(), layout)
    members[0].double()
    values = predict_points(members, one, wanted, plan, method, small)["h"][
        :, 0
    ].numpy()
    for network, own in zip(members, values, strict=True):
        expected = by_hand(checked, tiles, network, wanted)["h"]
        assert_same(own, expected, 1e-12)
    assert len(pools) == is_worth_threads


@pytest.mark.parametrize("method", ["auto", "dense", "patches"])
def test_threads_share_work_that_is_worth_it(monkeypatch, pools, method):
    "As much as is counted while it is done: dense parts, gathered and own patches."
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    checked = experiment(TWO, [CONCATENATION, conv(5), DOWN], {"h": [denses(6, 1)]})
    layout, tiles = Layout.of(checked), tiles_for(checked, 50, 3)
    part = to_lattice(tiles, layout)
    wanted = np.random.default_rng(0).random(part.usable.shape) < 0.02
    wanted[5:30, 20:40] = True
    scales = {v.name: Scale(0.3, 1.7) for v in checked.inputs}
    block = BlockInputs(part, layout, scales, torch.device("cpu"))
    members = [Network(checked).eval() for _ in range(2)]
    plan = plan_dense(members[0], layout)

    def predict_all():
        predict_points(members, block, wanted, plan, method, CPU)

    monkeypatch.setattr(predict, "_WORTH_THREADS", math.inf)
    with MultiplyAdds() as counted:
        predict_all()
    monkeypatch.setattr(predict, "_WORTH_THREADS", counted.total + 1)
    predict_all()
    assert not pools
    monkeypatch.setattr(predict, "_WORTH_THREADS", counted.total)
    predict_all()
    assert len(pools) == 1


@pytest.mark.parametrize("method", ["dense", "patches"])
def test_all_units_of_an_output_are_there(method):
    "A mean and the logarithm of a variance, beside an output that has one number."
    checked = experiment(
        TWO,
        [CONCATENATION, conv(5), DOWN],
        {"h": [denses(6, 2)], "w": [denses(1)]},
        area_size=22 * FINEST,
        losses_name={"h": "nan_gaussian_nll", "w": "mae"},
    )
    torch.manual_seed(1)
    network = Network(checked)
    layout, tiles = Layout.of(checked), tiles_for(checked, 11, seed=2)
    part = to_lattice(tiles, layout)
    scales = {v.name: Scale(0.3, 1.7) for v in checked.inputs}
    one = BlockInputs(part, layout, scales, torch.device("cpu"), torch.float64)
    plan = plan_dense(network, layout)
    members = [network.double().eval()]
    values = predict_points(members, one, part.usable, plan, method, CPU)
    expected = by_hand(checked, tiles, network, part.usable, unit=slice(None))
    for name, n_units in {"h": 2, "w": 1}.items():
        assert values[name].shape == (1, n_units, part.usable.sum())
        assert_same(values[name][0].numpy(), expected[name].T, 1e-12)
