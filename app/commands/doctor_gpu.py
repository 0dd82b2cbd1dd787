"""What `mien doctor` says about graphics cards: driver, cards, libraries by name, and the command that mends it."""

from __future__ import annotations

from collections.abc import Callable, Collection


def describe_gpu(line: Callable[[str, str], None]) -> None:
    """Name NVIDIA's driver, cards and libraries; `line` takes a heading and what is said under it."""
    from mien.engine.inference import nvidia
    from mien.engine.inference.graph import preload_cuda, runtime

    found = nvidia.driver()
    if found is None:
        there = "none, though an NVIDIA card is in this machine" if nvidia.cards_without_driver() else "none"
        line("NVIDIA driver", there)
        return
    line("NVIDIA driver", f"{found}: {found.problem}" if found.problem else str(found))
    for card in found.cards:
        line("NVIDIA card", str(card))
    if not found.cards:
        line("NVIDIA card", "none that the driver finds")
        return
    built = runtime()
    if built.major:
        preload_cuda()
        line(f"CUDA {built.major} and cuDNN", _found(nvidia.cuda_libraries(built.major)))
        version = nvidia.tensorrt_version()
        release = f" {version // 10_000}.{version // 100 % 100}.{version % 100}" if version else ""
        line(f"TensorRT{release}", _found(nvidia.tensorrt_libraries()))


def _found(names: Collection[str]) -> str:
    from mien.engine.inference import nvidia

    lacking = nvidia.missing(names)
    return f"missing: {', '.join(lacking)}" if lacking else f"found: {', '.join(names)}"


def gpu_left_out(running: Collection[str]) -> str:
    """Why the GPU of this machine is not used, with the command that mends it; "" where it is used, or there is none.

    Args:
        running: the providers that have really run the model.
    """
    from mien.engine.inference import nvidia
    from mien.engine.inference.graph import gpu_unused
    from mien.engine.inference.providers import CPU

    if set(running) - {CPU}:
        return ""
    found = nvidia.driver()
    if found is None or not (found.cards or found.problem):
        return ""
    card = found.cards[0].name if found.cards else "the NVIDIA card"
    return nvidia.for_this_python(gpu_unused() or f"{card} is not used: see why CUDA does not run above")
