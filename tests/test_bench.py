"""The listed layers are layers, and of the sizes that their networks have."""

import pytest
from upconv.bench import LAYERS
from upconv.definition import check_shapes

SIZES = {
    "DCGAN 1024 to 512": (8, 8),
    "DCGAN 512 to 256": (16, 16),
    "DCGAN 256 to 128": (32, 32),
    "DCGAN 128 to 3": (64, 64),
    "FCN k4 s2": (34, 34),
    "FCN k16 s8": (280, 280),
    "U-Net, one image": (128, 128),
    "U-Net, four images": (128, 128),
    "8 channels k3 s2": (28, 28),
    "8 channels k4 s2": (28, 28),
}


@pytest.mark.parametrize("layer", SIZES)
def test_a_listed_layer_makes_its_networks_size(layer):
    x_shape, weight_shape, geometry = LAYERS[layer]
    check_shapes(x_shape, weight_shape, geometry, transposed=True)
    assert geometry.transposed_shape(x_shape[2:]) == SIZES[layer]


def test_ten_layers_are_listed():
    assert list(LAYERS) == list(SIZES)
