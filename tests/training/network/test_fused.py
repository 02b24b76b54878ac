"""Convolutions fused with what follows them, against the plain operations."""

from unittest import mock

import hypothesis
import pytest
import torch
from hypothesis import strategies as st
from torch.nn import functional

from glacier_inversion.training.network import fused

SIZES = st.integers(1, 9)


@pytest.fixture
def source():
    return torch.Generator().manual_seed(1)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even")
@hypothesis.settings(max_examples=200, deadline=None, derandomize=True)
@hypothesis.given(
    n=st.integers(1, 4),
    channels=SIZES,
    filters=st.integers(1, 17),
    side=st.integers(1, 7),
    more=st.integers(0, 12),
    flags=st.tuples(*[st.booleans()] * 5),
    small=st.sampled_from([0, fused._SMALL]),
    n_cropped=st.integers(0, 2),
)
def test_all_that_follows_is_computed(
    n, channels, filters, side, more, flags, small, n_cropped
):
    "Against float64, for windows of larger images and either layout of memory."
    pads, rectifies, adds, has_bias, is_last = flags
    layout = torch.channels_last if is_last else torch.contiguous_format
    generator = torch.Generator().manual_seed(side + 10 * more)

    def draw(*shape):
        return torch.randn(shape, generator=generator)

    n_px = side + more + 2 * n_cropped
    inner = slice(n_cropped, n_cropped + side + more)
    image = draw(n, channels, n_px, n_px).to(memory_format=layout)
    image = image[..., inner, inner]
    weight = draw(filters, channels, side, side).to(memory_format=layout)
    bias = draw(filters) if has_bias else None
    expected = functional.conv2d(
        image.double(),
        weight.double(),
        None if bias is None else bias.double(),
        padding="same" if pads else "valid",
    )
    onto = draw(*expected.shape).to(memory_format=layout) if adds else None
    expected = expected + onto.double() if adds else expected
    expected = functional.relu(expected) if rectifies else expected
    options = {"pads": pads, "rectifies": rectifies}
    copy = None if onto is None else onto.clone()
    before = image.clone()
    with torch.inference_mode(), mock.patch.object(fused, "_SMALL", small):
        found = fused.convolve(image, weight, bias, **options, onto=copy)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-4)
    assert torch.equal(image, before)


def test_kernels_of_a_pixel_are_plain_on_small_images(monkeypatch, source):
    "Where nothing follows: the plain operation takes less time for a call."
    called = []
    monkeypatch.setattr(
        fused, "_fused", lambda *given: called.append(given) or given[0]
    )
    monkeypatch.setattr(fused, "is_fused", lambda: True)
    weight = torch.randn(4, 3, 1, 1, generator=source)
    wide = torch.randn(4, 3, 3, 3, generator=source)
    onto = torch.zeros(2, 4, 8, 8)
    rows_of_small = fused._SMALL // 16
    with torch.inference_mode():
        for n_rows, kernel, options in (
            (8, weight, {}),
            (8, weight, {"rectifies": True}),
            (8, weight, {"onto": onto}),
            (8, wide, {}),
            (rows_of_small - 1, weight, {}),
            (rows_of_small, weight, {}),
        ):
            fused.convolve(torch.zeros(2, 3, n_rows, 8), kernel, None, **options)
    assert [(given[0].shape[2], given[1].shape[2]) for given in called] == [
        (8, 1), (8, 1), (8, 3), (rows_of_small, 1)
    ]  # fmt: skip


def test_gradients_are_those_of_the_plain_operations(source):
    image = torch.randn(2, 3, 6, 6, generator=source, dtype=torch.float64)
    weight = torch.randn(4, 3, 3, 3, generator=source, dtype=torch.float64)
    onto = torch.randn(2, 4, 4, 4, generator=source, dtype=torch.float64)
    given = [tensor.requires_grad_() for tensor in (image, weight, onto)]

    def run(image, weight, onto):
        return fused.convolve(image, weight, None, rectifies=True, onto=onto)

    assert torch.autograd.gradcheck(run, given)


def test_plain_operations_serve_where_the_fused_are_missing(monkeypatch, source):
    "And where they give other numbers."

    def missing(*_given):
        raise AttributeError

    for broken in (missing, lambda *_given: torch.zeros(())):
        monkeypatch.setattr(fused, "_fused", broken)
        fused.is_fused.cache_clear()
        assert not fused.is_fused()
        image = torch.randn(1, 8, 9, 9, generator=source)
        weight = torch.randn(8, 8, 3, 3, generator=source)
        with torch.inference_mode():
            found = fused.convolve(image, weight, None)
        assert torch.equal(found, functional.conv2d(image, weight))
    monkeypatch.undo()
    fused.is_fused.cache_clear()


def test_they_are_used_on_processors_that_have_them():
    "Without this the other tests would compare the plain operations with themselves."
    if not torch.backends.mkldnn.is_available():
        pytest.skip("torch was built without oneDNN")
    assert fused.is_fused()
    image, weight = torch.ones(1, 8, 9, 9), torch.ones(8, 8, 3, 3)
    with torch.inference_mode(), torch.profiler.profile() as watched:
        fused.convolve(image, weight, None, rectifies=True)
    names = {event.key for event in watched.key_averages()}
    assert "mkldnn::_convolution_pointwise" in names
    assert "aten::relu" not in names
