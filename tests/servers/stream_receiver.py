"""Listens for a video stream that is published by RTMP, and says what it gets, a line of JSON for each frame.

Usage: stream_receiver.py PORT. Prints "ready" before it listens. A real server as far as the protocol goes: FFmpeg's
own, waiting for one publisher.
"""

from __future__ import annotations

import json
import sys

import av

# Few bytes are looked at before the first frame is given.
options = {"listen": "1", "probesize": "2000", "analyzeduration": "500000"}
print("ready", flush=True)
with av.open(f"rtmp://127.0.0.1:{sys.argv[1]}/live/secret-key-123", options=options) as stream:
    video = stream.streams.video[0]
    video.thread_type = "SLICE"  # threads of frames would keep some back
    for frame in stream.decode(video):
        image = frame.to_ndarray(format="rgb24")
        told = {
            "time_s": float(frame.pts * frame.time_base),
            "key": bool(frame.key_frame),
            "size": [frame.width, frame.height],
            "mean": [float(value) for value in image.mean(axis=(0, 1))],
            "left": [float(value) for value in image[:, : image.shape[1] // 8].mean(axis=(0, 1))],
            "codec": video.codec_context.name,
        }
        print(json.dumps(told), flush=True)
