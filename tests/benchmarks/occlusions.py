"""Things before a face, painted into 48-pixel stills; and trouble that comes from cameras and encoders.

Eyes and mouth lie where the bundle's crop template has them. Real glasses, masks and hair differ from these paintings
in shape, shade and fit; what the paintings share with them is which part of the face they hide.
"""

from __future__ import annotations

import av
import cv2
import numpy as np
import numpy.typing as npt

from mien.models.embedded.ferplus import SIDE
from mien.models.embedded.geometry import CROP

Image = npt.NDArray[np.uint8]
_EYE_Y = CROP.right_eye[1] * SIDE
_EYES_X = (CROP.right_eye[0] * SIDE, CROP.left_eye[0] * SIDE)
_MOUTH_Y = CROP.mouth[1] * SIDE


def _painted(image: Image, mask: Image, shade: float, seed: int) -> Image:
    """`shade` with some grain where `mask` (uint8, 255 opaque) says so."""
    grain = np.random.default_rng(seed).normal(shade, 8, image.shape)
    opacity = mask.astype(np.float64) / 255
    return np.clip(np.rint(image * (1 - opacity) + grain * opacity), 0, 255).astype(np.uint8)


def _mask() -> Image:
    return np.zeros((SIDE * 8, SIDE * 8), np.uint8)  # drawn large and shrunk, so that edges are smooth


def _shrunk(mask: Image) -> Image:
    return np.asarray(cv2.resize(mask, (SIDE, SIDE), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def half(image: Image, which: float) -> Image:
    """Hides a half: 0 the left of the picture, 1 the right, 2 the upper, 3 the lower."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    middle = SIDE // 2
    place = (np.s_[:, :middle], np.s_[:, middle:], np.s_[:middle, :], np.s_[middle:, :])[int(which)]
    mask[place] = 255
    return _painted(image, mask, 110, int(image[0, 0]))


def bars(image: Image, width: float) -> Image:
    """Glasses: dark frames around both eyes, `width` pixels of 48 thick."""
    mask = _mask()
    for x in _EYES_X:
        centre = (round(x * 8), round((_EYE_Y + 0.5) * 8))
        cv2.ellipse(mask, centre, (round(6.2 * 8), round(4.6 * 8)), 0, 0, 360, 255, round(width * 8))
    left, right = (round((x + side * 6.2) * 8) for x, side in zip(_EYES_X, (1, -1), strict=True))
    cv2.line(mask, (left, round(_EYE_Y * 8)), (right, round(_EYE_Y * 8)), 255, round(width * 8))
    for x, end in ((_EYES_X[0] - 6.2, 0.0), (_EYES_X[1] + 6.2, float(SIDE))):
        cv2.line(mask, (round(x * 8), round(_EYE_Y * 8)), (round(end * 8), round(_EYE_Y * 8)), 255, round(width * 8))
    return _painted(image, _shrunk(mask), 30, int(image[0, 0]))


def sunglasses(image: Image, shade: float) -> Image:
    """Both eyes behind dark glasses of grey level `shade`."""
    mask = _mask()
    for x in _EYES_X:
        centre = (round(x * 8), round((_EYE_Y + 0.8) * 8))
        cv2.ellipse(mask, centre, (round(7.2 * 8), round(5.6 * 8)), 0, 0, 360, 255, -1)
    cv2.line(mask, (0, round(_EYE_Y * 8)), (SIDE * 8, round(_EYE_Y * 8)), 255, 10)
    return _painted(image, _shrunk(mask), shade, int(image[0, 0]))


def face_mask(image: Image, shade: float) -> Image:
    """Nose, mouth and chin behind a mask of grey level `shade`."""
    mask = _mask()
    top = (_EYE_Y + _MOUTH_Y) / 2 - 3
    points = [(3, top + 2), (SIDE / 2, top - 3), (SIDE - 3, top + 2), (SIDE - 7, SIDE), (7, SIDE)]
    cv2.fillPoly(mask, [np.rint(np.array(points) * 8).astype(np.int32)], 255)
    return _painted(image, _shrunk(mask), shade, int(image[0, 0]))


def hat(image: Image, depth: float) -> Image:
    """A dark brim that hides the upper `depth` (0 to 1) of the forehead, down to the brows at 1."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[: round(depth * (_EYE_Y - 5))] = 255
    return _painted(image, mask, 45, int(image[0, 0]))


def hair(image: Image, strands: float) -> Image:
    """So many dark strands that hang over forehead, brows and one eye."""
    rng = np.random.default_rng(int(image.astype(np.int64).sum()))
    mask = _mask()
    side = rng.integers(2)
    for _ in range(int(strands)):
        start = rng.uniform(0.05, 0.95) * SIDE
        end = (rng.uniform(0.0, 0.5) + 0.5 * side) * SIDE
        x = np.linspace(start, end, 12) + rng.normal(0, 0.4, 12).cumsum()
        y = np.linspace(-1, rng.uniform(0.3, 0.65) * SIDE, 12)
        line = np.rint(np.stack([x, y], axis=1) * 8).astype(np.int32)
        cv2.polylines(mask, [line], False, 255, int(rng.integers(4, 12)))
    return _painted(image, _shrunk(mask), 40, int(image[0, 0]))


def low_light(image: Image, factor: float) -> Image:
    """A dark picture brightened by the camera: shot and read noise of so little light, at the old brightness."""
    rng = np.random.default_rng(int(image.astype(np.int64).sum()))
    electrons = image / 255 * 2000 * factor
    noisy = rng.poisson(electrons) + rng.normal(0, 6, image.shape)
    return np.clip(np.rint(noisy / (2000 * factor) * 255), 0, 255).astype(np.uint8)


_FRAME = (640, 360)
_FACE = 160
_FRAMES = 10
_RATE = 25


def h264(images: Image, kbit: float) -> Image:
    """Stills as faces of 160 pixels that sway in a 640x360 video of `kbit` kbit/s; the last frame of each, cut out.

    Args:
        images: (n, 48, 48) uint8 grey; each is shown for 0.4 s.
    """
    import io

    stream_file = io.BytesIO()
    width, height = _FRAME
    with av.open(stream_file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=_RATE)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.bit_rate = round(kbit * 1000)
        stream.options = {
            "preset": "veryfast",
            "maxrate": f"{round(kbit)}k",
            "bufsize": f"{round(kbit)}k",
            "tune": "zerolatency",
        }
        for image in images:
            face = cv2.resize(image, (_FACE, _FACE), interpolation=cv2.INTER_CUBIC)
            around = cv2.GaussianBlur(cv2.resize(image, _FRAME), (0, 0), 12)
            for step in range(_FRAMES):
                frame = around.copy()
                x, y = _place(step)
                frame[y : y + _FACE, x : x + _FACE] = face
                coded = av.VideoFrame.from_ndarray(np.ascontiguousarray(np.stack([frame] * 3, axis=2)), format="rgb24")
                container.mux(stream.encode(coded))
        container.mux(stream.encode(None))
    stream_file.seek(0)
    found = []
    x, y = _place(_FRAMES - 1)
    with av.open(stream_file) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number % _FRAMES == _FRAMES - 1:
                grey = frame.to_ndarray(format="gray")[y : y + _FACE, x : x + _FACE]
                found.append(cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
    return np.stack(found).astype(np.uint8)


def _place(step: int) -> tuple[int, int]:
    return 240 + round(12 * np.sin(step / 3)), 100 + round(6 * np.cos(step / 2))
