"""What the train extra brings fits together."""

from __future__ import annotations

from importlib import metadata

import pytest
from packaging.requirements import Requirement

torch = pytest.importorskip("torch", reason="torch is only needed for training; install the train extra")


def test_torchvision_belongs_to_its_torch() -> None:
    asked = [Requirement(text) for text in metadata.requires("torchvision") or []]
    (of_torch,) = (found.specifier for found in asked if found.name == "torch")
    assert of_torch.contains(torch.__version__.partition("+")[0])
    # Its kernels may be missing all the same: beside a CPU build of torch, that of the package index has none.
    from mien.models.networks.openclip import open_clip

    assert open_clip().list_models()
