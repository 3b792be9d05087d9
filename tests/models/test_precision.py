import pytest
import torch

from napari_ubam.models.encoder import OrderHead
from napari_ubam.models.inputs import N_CHANNELS
from napari_ubam.models.landmarks import LandmarkEncoder, expected_position
from napari_ubam.models.precision import in_precision

CPU = torch.device("cpu")


@pytest.fixture
def encoder() -> LandmarkEncoder:
    torch.manual_seed(0)
    return LandmarkEncoder(4, N_CHANNELS)


def test_layers_multiply_in_bfloat16_and_all_else_is_in_32_bits(encoder: LandmarkEncoder) -> None:
    pictures, seen = torch.rand(2, N_CHANNELS, 32, 32), []
    encoder.head.register_forward_pre_hook(lambda layer, x: seen.append(x[0].dtype))
    exact = encoder(pictures)
    with in_precision("mixed", encoder, CPU):
        heatmaps = encoder.heatmaps(pictures)
        rough = encoder(pictures)
        features = encoder.head(torch.rand(1, 32, 8, 8))
    assert set(seen) == {torch.float32}
    assert heatmaps.dtype == features.dtype == torch.float32
    assert not torch.equal(rough, exact)
    torch.testing.assert_close(rough, exact, atol=0.02, rtol=0)
    # positions are read from heatmaps to the last bit, not rounded to steps of 1/128
    torch.testing.assert_close(rough, expected_position(heatmaps), atol=1e-6, rtol=0)


def test_weights_and_gradients_stay_in_32_bits_and_layers_are_as_before_afterwards(encoder: LandmarkEncoder) -> None:
    pictures = torch.rand(2, N_CHANNELS, 32, 32)
    exact = encoder(pictures)
    with in_precision("mixed", encoder, CPU):
        encoder(pictures).square().sum().backward()
    assert {p.dtype for p in encoder.parameters()} == {torch.float32}
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in encoder.parameters())
    assert torch.equal(encoder(pictures), exact)


def test_an_error_leaves_the_layers_as_they_were(encoder: LandmarkEncoder) -> None:
    with pytest.raises(RuntimeError), in_precision("mixed", encoder, CPU):
        encoder(torch.rand(2, N_CHANNELS + 1, 32, 32))
    assert "forward" not in vars(encoder.head)


def test_recurrent_layers_are_left_alone() -> None:
    head = OrderHead(8)
    with in_precision("mixed", head, CPU):
        assert head(torch.rand(3, 5, 8)).dtype == torch.float32
        assert "forward" not in vars(head.lstm)
