"""How neural networks upsample: transposed convolution, upsampling and unpooling.

The public names of the modules are importable from here and are loaded when first used, so that
``import upconv`` needs neither torch nor SciPy. ``upconv.conv_transpose`` takes torch tensors; the
NumPy loops that judge everything else are ``upconv.definition.conv`` and
``upconv.definition.conv_transpose``. ``upconv.matrix`` is the module that holds ``conv_matrix``;
the form of that name is ``upconv.forms.matrix``.
"""

from importlib import import_module

_MODULE_OF = {
    "Geometry": "geometry",
    "solve": "geometry",
    "conv_matrix": "matrix",
    "conv_transpose": "forms",
    "arithmetic": "cost",
    "remember": "fastest",
    "scatter": "forms",
    "zero_insertion": "forms",
    "columns": "forms",
    "polyphase": "forms",
    "shuffle": "forms",
    "native": "forms",
    "interpolate": "resample",
    "interpolate_adjoint": "resample",
    "interpolation_matrix": "resample",
    "collapse": "factor",
    "divide": "factor",
    "overlap": "checkerboard",
    "phase_gains": "checkerboard",
    "imbalance": "checkerboard",
    "grid_energy": "checkerboard",
    "constant_response": "checkerboard",
    "ramp_response": "checkerboard",
    "project": "checkerboard",
    "sum_pool": "pooling",
    "average_pool": "pooling",
    "max_pool": "pooling",
    "sum_pool_gradient": "pooling",
    "average_pool_gradient": "pooling",
    "max_pool_gradient": "pooling",
    "insert_zeros": "pooling",
    "max_unpool": "pooling",
    "UpsampleConv1d": "layers",
    "UpsampleConv2d": "layers",
    "UpsampleConv3d": "layers",
    "icnr_": "layers",
    "bilinear_": "layers",
    "fuse": "fusion",
}
_MODULES = (
    "geometry",
    "definition",
    "matrix",
    "timing",
    "fastest",
    "cost",
    "forms",
    "resample",
    "pooling",
    "factor",
    "checkerboard",
    "layers",
    "fusion",
    "frameworks",
    "records",
    "peers",
    "bench",
)

__all__ = [*_MODULE_OF, *_MODULES]


def __getattr__(name: str):
    if name in _MODULES:
        return import_module(f"upconv.{name}")
    if name in _MODULE_OF:
        return getattr(import_module(f"upconv.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module 'upconv' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
