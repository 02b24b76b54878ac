"""What a training costs, measured and estimated."""

import pytest

from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.training import cost as cost_module
from glacier_inversion.training.cost import measure_cost
from tests import synthetic
from tests.training.network.helpers import block, denses, experiment


def test_a_step_that_takes_long_is_not_tried():
    "Gradients of wide kernels, a hundred times slower than what they were counted for."
    operations = [block(8, 8, kernel_size=15)]
    checked = experiment({"a": (50.0, False, operations)}, [], {"h": [denses(1)]})
    cost = measure_cost(checked.model_copy(update={"area_size": 25_600.0}))
    assert cost.multiply_adds > 4e9
    assert cost.train_seconds == 3 * cost.predict_seconds
    assert cost.activation_bytes >= 4 * 8 * 512**2


def test_few_points_are_drawn_with_a_network_that_takes_long(monkeypatch):
    "As many as would be affordable if each were drawn alone, one at least."
    checked = experiment({"a": (50.0, False, [])}, [], {"h": [denses(8, 1)]})
    multiply_adds, drawn = measure_cost(checked).multiply_adds, []
    predict = cost_module._MadeUpPatches.predict

    def note(patches, network, plan, wanted):
        drawn.append(int(wanted.sum()))
        predict(patches, network, plan, wanted)

    monkeypatch.setattr(cost_module._MadeUpPatches, "predict", note)
    for most in (1e11, 70.5 * multiply_adds, 0.5 * multiply_adds):
        monkeypatch.setattr(cost_module, "_MOST_DRAWN", most)
        assert measure_cost(checked).draw_seconds > 0
    assert list(dict.fromkeys(drawn)) == [64 * 64, 70, 1]


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adam"])
def test_memory_of_the_optimizer(optimizer):
    "Weights, gradients and best weights, and what the optimizer keeps of each weight."
    raw = synthetic.experiment() | {"optimizer_name": optimizer}
    cost = measure_cost(Experiment.model_validate(raw))
    copies = 3 + {"sgd": 0, "rmsprop": 1, "adam": 2}[optimizer]
    assert cost.state_bytes == copies * 4 * cost.parameters
    # at least every image that a ReLU or a pool needs again, in float32
    assert cost.activation_bytes > 4 * (8 * 64 * 2 + 8 * 16)
    assert cost.train_seconds > cost.predict_seconds / 2 > 0
