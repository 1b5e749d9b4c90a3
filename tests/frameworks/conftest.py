"""Every test here may import Keras: on the backend that the book uses, and quietly."""

import os
import sys
from pathlib import Path

import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def pytest_collection_modifyitems(items):
    """Let Keras read a torch tensor by NumPy's old protocol, which warns since NumPy 2."""
    mark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(mark)


@pytest.fixture(autouse=True)
def forget_what_jax_compiled():
    """Every shape is compiled anew, and kept: hundreds of megabytes over all the tests."""
    yield
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()
