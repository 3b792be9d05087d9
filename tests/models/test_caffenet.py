import pytest
import torch

from napari_ubam.models.caffenet import SIDE, CaffeNet, LocalResponseNorm


def test_it_has_the_layers_of_the_reference_network() -> None:
    with torch.device("meta"):
        net = CaffeNet(4096)
        codes = net.code(torch.zeros(2, 6, SIDE, SIDE))
    layers = [m for m in net.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    assert [sum(p.numel() for p in layer.parameters()) for layer in layers] == [
        34_944, 307_456, 885_120, 663_936, 442_624, 37_752_832, 16_781_312,
    ]  # fmt: skip
    assert codes.shape == (2, 4096)


@pytest.mark.parametrize("side", [32, 128, 256])
def test_crops_of_every_size_are_seen_and_nothing_but_the_picture(side: int) -> None:
    net = CaffeNet(8).eval()
    pictures = torch.rand(2, 6, side, side) * 2 - 1
    other = torch.cat([pictures[:, :3], -pictures[:, 3:]], 1)
    with torch.no_grad():
        codes = net.code(pictures)
        assert torch.equal(net.code(other), codes)
        assert not torch.equal(net.code(-pictures), codes)
    assert codes.shape == (2, 8)
    assert (codes >= 0).all()


def test_the_code_is_the_same_while_it_is_trained() -> None:
    net, pictures = CaffeNet(8), torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(net.train().code(pictures), net.eval().code(pictures))
        assert not torch.equal(net.train()(pictures), net(pictures))  # some of fc7 is dropped


def test_the_normalisation_is_that_of_torch() -> None:
    pictures = [(20 * torch.randn(2, 9, 4, 3)).requires_grad_() for _ in range(2)]
    pictures[1].data.copy_(pictures[0].data)
    layers = LocalResponseNorm(9), torch.nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75)
    ours, theirs = (layer(x) for layer, x in zip(layers, pictures, strict=True))
    torch.testing.assert_close(ours, theirs)
    for normalised in (ours, theirs):
        (normalised**2).sum().backward()
    torch.testing.assert_close(pictures[0].grad, pictures[1].grad)
    assert not layers[0].state_dict()  # it has nothing to save
