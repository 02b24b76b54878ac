"""What ensembles predict, and say of the noise in the data: by hand, and in blocks."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.patches.lattice import to_lattice
from glacier_inversion.training.model import ensemble as module
from glacier_inversion.training.model.ensemble import Ensemble
from glacier_inversion.training.model.model import read_member, read_model
from glacier_inversion.training.model.open_model import open_model
from glacier_inversion.training.network.devices import CPU
from glacier_inversion.training.network.network import Network
from tests import synthetic
from tests.patches.helpers import patches_of
from tests.training.helpers import made_up_tiles, train_all

N_SEEDS = 3


def gaussian(**keys):
    """Return an experiment that learns a mean and a variance."""
    raw = synthetic.experiment() | {"epochs": 1, "seeds_number": N_SEEDS, **keys}
    raw["losses_name"] = {"thickness": "nan_gaussian_nll"}
    tail = raw["model_description"]["outputs"]["thickness"]["operations"][0]
    tail["filters"] = [8, 2]
    for branch in raw["model_description"]["inputs"].values():
        branch["operations"][0]["padding"] = "valid"
    return raw


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model after an epoch, made-up tiles, and what is predicted patch by patch."""
    root, checked = tmp_path_factory.mktemp("noise"), check_experiment(gaussian(), "e")
    train_all(checked, root)
    folder = root / "models" / checked.model_name
    model, tiles = read_model(folder), made_up_tiles(7, "test", n_px=40)
    whole = Ensemble(folder, model)
    part = to_lattice(tiles, whole.layout)
    source = patches_of(part, whole.layout, model.scales.inputs)
    points = torch.from_numpy(np.argwhere(part.usable))
    points = torch.cat([torch.zeros(len(points), 1, dtype=torch.int64), points], dim=1)
    given = []
    for seed in range(N_SEEDS):
        network = Network(checked)
        read_member(network, folder, seed, model.identity)
        with torch.inference_mode():
            given.append(network(source.gather(points))["thickness"].numpy())
    std = model.scales.outputs["thickness"].std
    assert std > 2
    units = np.stack(given).astype(np.float64)
    return model, folder, tiles, part.usable, units[..., 0] * std, units[..., 1], std


@pytest.mark.parametrize("method", ["dense", "patches"])
@pytest.mark.parametrize("at_once", ["all", "one member", "small pieces"])
def test_noise_is_the_mean_of_the_members_variances(
    trained, method, at_once, monkeypatch
):
    "In the output's unit squared, however the members and the points are shared out."
    model, folder, tiles, usable, values, log_variances, std = trained
    device = CPU
    if at_once == "one member":
        monkeypatch.setattr(module, "MOST_WEIGHTS", 1)
    if at_once == "small pieces":
        device = replace(CPU, most_bytes=1e5, most_patches=7)
    ensemble = Ensemble(folder, model, method, device)
    assert ensemble.plan.is_partly_dense
    prediction = ensemble.predict_at(tiles, usable)
    noise = prediction.noise["thickness"]
    assert noise.dtype == np.float32
    expected = std**2 * np.exp(log_variances).mean(axis=0)
    assert expected.std() > 0.01 * expected.mean()
    np.testing.assert_allclose(noise, expected, rtol=1e-4)
    np.testing.assert_allclose(prediction.values["thickness"], values, rtol=1e-4)


def test_arrays_of_ones_own_have_a_noise(trained):
    "As a standard deviation, a map of the points, block by block."
    _, folder, tiles, usable, _, log_variances, std = trained
    model = open_model(folder)
    expected = np.full(usable.shape, np.nan)
    expected[usable] = std * np.sqrt(np.exp(log_variances).mean(axis=0))
    for device in (CPU, replace(CPU, block_px=11)):
        other = Ensemble(folder, model.model, device=device)
        maps = other.predict(tiles.inputs, tiles.grid.transform)
        np.testing.assert_allclose(maps["thickness"].noise, expected, rtol=1e-4)


def test_other_losses_learn_no_noise(tmp_path):
    "Nothing is said of it."
    checked = check_experiment(synthetic.experiment() | {"epochs": 1}, "e")
    train_all(checked, tmp_path)
    ensemble = open_model(tmp_path / "models" / checked.model_name)
    tiles = made_up_tiles(7, "test")
    wanted = to_lattice(tiles, ensemble.layout).usable
    assert ensemble.predict_at(tiles, wanted).noise == {}
    maps = ensemble.predict(tiles.inputs, tiles.grid.transform)
    assert maps["thickness"].noise is None


def test_the_learnt_noise_is_near_that_in_the_data(tmp_path):
    "Of targets with gaps, whose noise grows with the slope from 2.4 to 4.6."

    def sigma_of(slope):
        return 0.5 + 0.15 * np.clip(slope, 8, 32)

    def noisy(seed, split):
        tiles = made_up_tiles(seed, split, n_px=50)
        rng = np.random.default_rng(seed)
        slope = tiles.inputs["slope"] * 2 - 20  # further apart
        target = 10 + 3 * slope + sigma_of(slope) * rng.normal(size=slope.shape)
        target[rng.random(slope.shape) < 0.3] = np.nan
        own = {"thickness": target.astype("f4")}
        return replace(tiles, inputs={"slope": slope}, targets=own)

    raw = gaussian(
        epochs=40,
        batch_size=64,
        seeds_number=2,
        inputs=[{"name": "slope", "resolution": 50.0, "scalar": True}],
        area_size=50.0,
        model_architecture="vggnet",  # with biases
        sampling={"spacing": 50.0},
        normalization="standard",
        learning_rate=0.01,
        criterion="val_loss",
    )
    tail = {"name": "denses", "last_activation": "linear", "filters": [16, 2]}
    raw["model_description"] = {
        "inputs": {},
        "main": {"operations": []},
        "outputs": {"thickness": {"operations": [tail]}},
    }
    checked = check_experiment(raw, "e")
    parts = {
        "train": [noisy(1, "train"), noisy(2, "train")],
        "validation": [noisy(3, "validation")],
    }
    train_all(checked, tmp_path, parts)
    test = noisy(4, "test")
    model = open_model(tmp_path / "models" / checked.model_name)
    found = model.predict(test.inputs, test.grid.transform)["thickness"]
    slope = test.inputs["slope"]
    for low, high in ((10, 15), (17, 23), (25, 30)):
        there = (slope > low) & (slope < high)
        assert there.sum() > 100
        known = sigma_of(slope[there]).mean()
        assert found.noise[there].mean() == pytest.approx(known, rel=0.2)
        # most of what is observed differs by the noise, not by the members
        assert np.nanmean(found.std[there]) < known / 3


def test_members_are_transformed_back_before_their_mean(tmp_path):
    "The mean and the std are of thicknesses, not of their logarithms."
    raw = synthetic.experiment() | {"epochs": 1, "seeds_number": N_SEEDS}
    raw["outputs"][0]["transform"] = {"name": "log", "floor": 5.0}
    tail = raw["model_description"]["outputs"]["thickness"]["operations"][0]
    tail["last_activation"] = "linear"
    checked = check_experiment(raw, "e")
    train_all(checked, tmp_path)
    folder = tmp_path / "models" / checked.model_name
    model, tiles = read_model(folder), made_up_tiles(7, "test")
    assert model.experiment.outputs == checked.outputs
    ensemble = open_model(folder)
    part = to_lattice(tiles, ensemble.layout)
    source = patches_of(part, ensemble.layout, model.scales.inputs)
    points = torch.from_numpy(np.argwhere(part.usable))
    points = torch.cat([torch.zeros(len(points), 1, dtype=torch.int64), points], dim=1)
    scale, expected = model.scales.outputs["thickness"], []
    for seed in range(N_SEEDS):
        network = read_member(Network(checked), folder, seed, model.identity)
        with torch.inference_mode():
            units = network(source.gather(points))["thickness"][:, 0].double().numpy()
        expected.append(np.exp(units * scale.std + scale.mean))
    predicted = ensemble.predict(tiles.inputs, tiles.grid.transform)["thickness"]
    known = predicted.members[:, part.usable]
    np.testing.assert_allclose(known, expected, rtol=1e-4)
    mean, std = np.mean(expected, axis=0), np.std(expected, axis=0, ddof=1)
    np.testing.assert_allclose(predicted.mean[part.usable], mean, rtol=1e-4)
    np.testing.assert_allclose(predicted.std[part.usable], std, rtol=1e-2, atol=1e-3)
    of_logs = np.exp(np.log(expected).mean(axis=0))
    assert (mean - of_logs).max() > 1e-3 * mean.max()  # else it would show nothing
