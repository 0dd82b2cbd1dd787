"""A real Ray cluster of two machines, both on this one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def two_machines(cores: int) -> Iterator[tuple[Any, Any]]:
    """The cluster, and the one of its machines that can be taken away; skips the test where there can be none."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    try:
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": cores, "include_dashboard": False})
        other = cluster.add_node(num_cpus=cores)
        cluster.wait_for_nodes(60)
    except Exception as error:
        pytest.skip(f"no Ray cluster can be started on this machine: {error}")
    yield cluster, other
    cluster.shutdown()
