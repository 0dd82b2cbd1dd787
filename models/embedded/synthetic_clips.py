"""Clips made from stills: 16 steps of one face whose pose, light and image quality change as in a real video.

There is no free video collection with expression labels, so the temporal part learns from these. What it can learn is
which frames to trust; how an expression unfolds, it cannot.

A *clean* clip only sways a little. A *troubled* clip also has, each with some chance and for some of its steps: motion
blur, defocus, a thing before the face, bad light, a tiny or badly compressed image, a detector that loses its hold.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from mien.models.embedded.augment import blur, compress, light, occlude, resample, warp

__all__ = ["STEPS", "clean_clips", "troubled_clips"]

STEPS = 16
"""T: frames per clip, as in DFER-CLIP."""

_JITTER_DEG, _JITTER_SCALE, _JITTER_SHIFT = 1.5, 0.015, 0.01
"""Standard deviations of the detector's wobble from frame to frame, about what BlazeFace shows on a still face."""


def _uniform(shape: tuple[int, ...], low: float, high: float, rng: Generator) -> Tensor:
    return torch.rand(shape, generator=rng, device=rng.device) * (high - low) + low


def _sway(count: int, rng: Generator) -> Tensor:
    """(count, STEPS) smooth curves within about [-1, 1]: two slow waves of random phase."""
    time = torch.arange(STEPS, device=rng.device) / STEPS
    curve = torch.zeros(count, STEPS, device=rng.device)
    for _ in range(2):
        cycles = _uniform((count, 1), 0.2, 1.5, rng)
        phase = _uniform((count, 1), 0, 2 * math.pi, rng)
        curve = curve + torch.sin(2 * math.pi * cycles * time + phase)
    return curve / 2


def _spell(count: int, odds: float, shortest: int, longest: int, rng: Generator) -> Tensor:
    """(count * STEPS,) bool: in a share `odds` of the clips, one run of steps (it may be cut by the clip's ends)."""
    length = torch.randint(shortest, longest + 1, (count, 1), generator=rng, device=rng.device)
    start = torch.randint(-shortest // 2, STEPS - shortest // 2, (count, 1), generator=rng, device=rng.device)
    step = torch.arange(STEPS, device=rng.device)
    struck = torch.rand(count, 1, generator=rng, device=rng.device) < odds
    return (struck & (step >= start) & (step < start + length)).flatten()


def _move(stills: Tensor, sway: float, lost: Tensor, rng: Generator) -> Tensor:
    """(n,1,h,w) stills -> (n*STEPS,1,h,w): swaying heads under a wobbling detector; `lost` is (n*STEPS,) bool."""
    count = len(stills)
    frames = stills.repeat_interleave(STEPS, dim=0)
    total = count * STEPS
    # A detector about to lose the face is off by many times its usual wobble.
    wobble = torch.where(lost, 7.0, 1.0)

    def path(slow: float, fast: float) -> Tensor:
        return sway * slow * _sway(count, rng).flatten() + fast * wobble * torch.randn(
            total, generator=rng, device=rng.device
        )

    angle = path(math.radians(8), math.radians(_JITTER_DEG))
    scale = torch.exp(path(0.06, _JITTER_SCALE))
    shift = torch.stack([path(0.03, _JITTER_SHIFT), path(0.03, _JITTER_SHIFT)], dim=1)
    # Every second step is a mirror image, as the engine takes them (Manifest.mirror_steps).
    turns = torch.where(torch.arange(STEPS, device=rng.device) % 2 == 0, 1.0, -1.0)
    flip = (torch.where(torch.rand(count, 1, generator=rng, device=rng.device) < 0.5, -1.0, 1.0) * turns).flatten()
    shear = path(0.05, 0.0)
    return warp(frames, angle, flip * scale, scale, shear, shift)


def clean_clips(stills: Tensor, rng: Generator) -> Tensor:
    """(n, 1, h, w) float32 grey in [0,1] -> (n, STEPS, 1, h, w), oldest first; gentle sway and wobble only.

    The generator must be of the images' device.
    """
    count = len(stills)
    frames = _move(stills, 0.5, torch.zeros(count * STEPS, dtype=torch.bool, device=rng.device), rng)
    return frames.view(count, STEPS, *stills.shape[1:])


def troubled_clips(stills: Tensor, rng: Generator) -> Tensor:
    """As `clean_clips`, with trouble that comes and goes; sides must be multiples of 8."""
    count = len(stills)
    total = count * STEPS
    frames = _move(stills, 1.0, _spell(count, 0.4, 2, 8, rng), rng)

    hidden = _spell(count, 0.6, 4, 12, rng)
    per_clip = count, 1
    # The thing before the face drifts across it; mouth and eyes are both reached.
    drift = 0.25 * torch.stack([_sway(count, rng), _sway(count, rng)])
    centre = torch.stack([_uniform(per_clip, 0.25, 0.75, rng), _uniform(per_clip, 0.25, 0.85, rng)]) + drift
    size = torch.stack([_uniform(per_clip, 0.35, 0.7, rng), _uniform(per_clip, 0.3, 0.6, rng)]).expand(-1, -1, STEPS)
    shade = torch.rand(count, generator=rng, device=rng.device).repeat_interleave(STEPS)
    painted = occlude(
        frames[hidden], centre.reshape(2, -1)[:, hidden], size.reshape(2, -1)[:, hidden], shade[hidden], rng
    )
    frames[hidden] = painted

    smeared = torch.nonzero(_spell(count, 0.5, 3, 10, rng)).flatten()
    along = _uniform((count,), 0, math.pi, rng).repeat_interleave(STEPS)[smeared]
    frames[smeared] = blur(frames[smeared], _uniform((len(smeared),), 1.5, 3.5, rng), along)
    soft = torch.nonzero(_spell(count, 0.3, 2, 8, rng)).flatten()
    frames[soft] = blur(frames[soft], _uniform((len(soft),), 1.0, 2.5, rng))

    tiny = torch.nonzero(_spell(count, 0.3, 2, 10, rng)).flatten()
    frames[tiny] = resample(frames[tiny], int(torch.randint(10, 20, (1,), generator=rng, device=rng.device)))

    # Exposure swings all the time; in bad spells it is near black or burnt out.
    bad = _spell(count, 0.5, 3, 10, rng)
    extreme = _uniform((count, 1), 1.2, 2.5, rng) * torch.where(
        torch.rand(per_clip, generator=rng, device=rng.device) < 0.5, -1.0, 1.0
    )
    power = torch.where(bad, extreme.expand(-1, STEPS).flatten(), 0.5 * _sway(count, rng).flatten())
    contrast = torch.where(bad, 0.5, 1.0)
    frames = light(frames, torch.exp2(power), contrast, 0.08 * _sway(count, rng).flatten())
    noise = torch.where(bad, 0.06, 0.01).view(-1, 1, 1, 1)
    frames = (frames + noise * torch.randn(frames.shape, generator=rng, device=rng.device)).clamp(0, 1)

    poor = _spell(count, 0.4, 2, 10, rng)
    quality = torch.where(poor, _uniform((total,), 4, 20, rng), _uniform((total,), 50, 95, rng))
    return compress(frames, quality).view(count, STEPS, *stills.shape[1:])
