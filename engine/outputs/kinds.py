"""The table of live outputs. Loads nothing heavy: the command line makes its options of it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final

from mien.engine.language import tr, tr_later


@dataclass(frozen=True, slots=True)
class OutputKind:
    """One kind of output.

    Attributes:
        type: its class, as "module:class". The module is imported only where such an output is used.
        target: what a target looks like, for help.
        help: one sentence on what it does.
        name: for menus.
        requires: modules that do not come with Mien, as they are imported; looked for before the class is imported.
        package: what brings them, as pip knows it.
        extra: the extra of Mien that brings it.
        bare: the target that is meant where the option is given alone; None: a target must be given.
        given: with `bare`, what a target that follows the option looks like, as a regular expression; what looks
            different is the next argument. With ``=`` any target can be given.
        pictures: it has `show`, and is given drawn pictures.
    """

    type: str
    target: str
    help: str
    name: str = ""
    requires: tuple[str, ...] = ()
    package: str = ""
    extra: str = ""
    bare: str | None = None
    given: str = ""
    pictures: bool = False


OUTPUTS: Final = {
    "json": OutputKind(
        "mien.engine.outputs.json_lines:JsonLines",
        "FILE",
        tr_later("Write a line of JSON for each frame; - is standard output."),
        tr_later("JSON lines"),
    ),
    "lsl": OutputKind(
        "mien.engine.outputs.lsl.streams:Lsl",
        "[=WISHES]",
        tr_later("Open streams of Lab Streaming Layer on this machine; --lsl=network: for other machines, too."),
        "Lab Streaming Layer",
        requires=("pylsl",),
        package="pylsl",
        extra="lsl",
        bare="",
    ),
    "osc": OutputKind(
        "mien.engine.outputs.osc:Osc",
        "HOST:PORT",
        tr_later("Send Open Sound Control; add ,tcp ,slip ,rate=N or ,vrchat."),
        "OSC",
        requires=("pythonosc",),
        package="python-osc",
        extra="osc",
    ),
    "mqtt": OutputKind(
        "mien.engine.outputs.mqtt:Mqtt",
        "URL",
        tr_later(
            "Publish at an MQTT broker (mqtts://HOST/PREFIX); add ,login=FILE ,ca=FILE ,rate=N or ,homeassistant."
        ),
        "MQTT",
        requires=("paho",),
        package="paho-mqtt",
        extra="mqtt",
    ),
    "ws": OutputKind(
        "mien.engine.outputs.web.output:WebSocketOutput",
        "[[HOST:]PORT]",
        tr_later("Serve JSON by WebSocket, a dashboard and an overlay for OBS, to whoever has the token."),
        tr_later("WebSocket and web pages"),
        requires=("websockets",),
        package="websockets",
        extra="web",
        bare="8765",
        given=r"\d{1,5}(,.*)?",
        pictures=True,
    ),
    "virtualcam": OutputKind(
        "mien.engine.outputs.video.virtual_camera:VirtualCamera",
        "[DEVICE]",
        tr_later("Show the drawn picture in a virtual camera, for calls."),
        tr_later("Virtual camera"),
        requires=("pyvirtualcam",),
        package="pyvirtualcam",
        extra="virtualcam",
        bare="auto",
        given=r"/dev/video\d+(,.*)?",
        pictures=True,
    ),
    "publish": OutputKind(
        "mien.engine.outputs.video.publish:Publish",
        "URL",
        tr_later("Publish the drawn picture as a video stream, by rtmp:// or rtsp://; add ,key-file=FILE."),
        tr_later("Video stream"),
        pictures=True,
    ),
}
"""Kinds of output. A new one is a file with a class and a line here; `mien watch` then has an option of that name."""


def missing(kind: str) -> str:
    """One line that says what an output of this kind lacks, and how to get it; "" where nothing does."""
    known = OUTPUTS[kind]
    if all(find_spec(module) is not None for module in known.requires):
        return ""
    return tr(
        "{kind}: {package} is not installed; pip install 'mien[{extra}]'",
        kind=kind,
        package=known.package,
        extra=known.extra,
    )
