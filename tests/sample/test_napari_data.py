import numpy as np
import pytest

from napari_ubam.sample.napari_data import cohort_layers


@pytest.fixture(scope="module")
def layers():
    return cohort_layers()


def test_layers_show_the_four_subjects_beside_each_other(layers):
    assert len(layers) == 4
    corners = set()
    for data, attributes, kind in layers:
        assert kind == "image"
        assert data.shape == (60, 128, 128, 3)
        assert data.dtype == np.uint8
        about = attributes["metadata"]["ubam"]
        assert about["subject"] in attributes["name"]
        assert about["group"] in attributes["name"]
        assert about["fps"] == 30
        corners.add(tuple(attributes["translate"]))
    assert len(corners) == 4
    assert [layer[1]["metadata"]["ubam"]["group"] for layer in layers] == ["healthy"] * 2 + ["impaired"] * 2


def test_layers_can_be_made_from_them(layers):
    from napari.layers import Layer

    data, attributes, kind = layers[3]
    layer = Layer.create(data, attributes, kind)
    assert layer.rgb
    assert layer.ndim == 3
    assert layer.metadata["ubam"]["group"] == "impaired"
