"""The output `ws`: scenes as JSON by WebSocket, with a dashboard and an overlay page."""

from __future__ import annotations

import errno
import json
import socket
import time
from typing import TYPE_CHECKING, Any, Final

import cv2

from mien.engine import version
from mien.engine.errors import OutputError, SettingsError
from mien.engine.language import tr, trn
from mien.engine.outputs.base import Event, LiveScene
from mien.engine.outputs.json_lines import FORMAT, as_json
from mien.engine.outputs.targets import LOOPBACK, host_and_port, split_target
from mien.engine.outputs.web.access import Access, token_for
from mien.engine.outputs.web.server import WebServer

if TYPE_CHECKING:
    from mien.engine.outputs.base import Picture

PORT: Final = 8765
_WISHES: Final = {"public": False, "video": False, "no-token": False, "token-file": True, "origin": True}
_VIDEO_S: Final = 1 / 15  # between two pictures
_VIDEO_WIDTH: Final = 960  # pixels at most
_JPEG_QUALITY: Final = 80
_EVERYWHERE: Final = ("0.0.0.0", "::")
_BACKLOG: Final = 16


class WebSocketOutput:
    """An `Output` that serves whoever comes with the token.

    Args:
        target: ``[HOST:]PORT``, and after commas ``public`` (all addresses of this machine), ``video`` (pictures, too),
            ``token-file=FILE``, ``no-token``, ``origin=URL`` (a page of another server that may connect).

    Attributes:
        address: of the dashboard, with its token: for the user who asked for this output, and for nobody else.
        wants_pictures: whether `show` is to be called.

    Raises:
        SettingsError: `target` cannot be understood, or a token cannot be used.
        OutputError: the port is taken.
    """

    def __init__(self, target: str) -> None:
        place, wishes = split_target("ws", target, _WISHES)
        host, port = host_and_port("ws", place, PORT)
        if "no-token" in wishes and "token-file" in wishes:
            raise SettingsError(tr("ws: choose either no-token or token-file"))
        public = "public" in wishes or host in _EVERYWHERE
        if "public" in wishes and host == LOOPBACK:
            host = ""
        local = not public and host in (LOOPBACK, "localhost", "::1")
        token = None if "no-token" in wishes else token_for(target, wishes.get("token-file"))
        self.wants_pictures = "video" in wishes
        listening = _listen(host, port)
        port = listening.getsockname()[1]
        named = _own_address() if public else f"[{host}]" if ":" in host else host
        self.address = f"http://{named}:{port}/" + (f"?token={token}" if token else "")
        hello = {"type": "hello", "format": FORMAT, "mien": version(), "video": self.wants_pictures}
        origins = frozenset(filter(None, [wishes.get("origin", "").rstrip("/")]))
        self._server = WebServer(listening, Access(token, local, origins), json.dumps(hello))
        self._picture_at = 0.0

    @property
    def detail(self) -> str:
        """Who listens."""
        count, dropped = len(self._server.clients), self._server.dropped
        if not dropped:
            return trn("{count} client", "{count} clients", count)
        return trn(
            "{count} client, {dropped} scenes dropped for slow ones",
            "{count} clients, {dropped} scenes dropped for slow ones",
            count,
            dropped=dropped,
        )

    def send(self, live: LiveScene) -> None:
        self._check()
        clients = self._server.clients
        if clients:
            text = _text({"type": "scene", **as_json(live)})
            for client in clients:
                client.put_scene(text)

    def tell(self, event: Event) -> None:
        self._check()
        data = {"type": "event", "event": str(event.kind), "time_s": round(event.time_s, 6), "text": event.text}
        if event.track_id:
            data["id"] = event.track_id
        text = _text(data)
        for client in self._server.clients:
            client.put_event(text)

    def show(self, picture: Picture) -> None:
        self._check()
        clients = [client for client in self._server.clients if client.pictures]
        now = time.monotonic()
        if not self.wants_pictures or not clients or now < self._picture_at:
            return
        self._picture_at = now + _VIDEO_S
        jpeg = _jpeg(picture)
        for client in clients:
            client.put_picture(jpeg)

    def close(self) -> None:
        self._server.close()

    def _check(self) -> None:
        if self._server.error is not None:
            raise self._server.error


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens at `host`; "": at all addresses of this machine."""
    try:
        if not host and socket.has_dualstack_ipv6():
            return socket.create_server(("", port), family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=True)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise OutputError(
                tr("ws: port {port} is in use by another program; end that, or choose another", port=port)
            ) from None
        if error.errno in (errno.EACCES, errno.EPERM):
            raise SettingsError(tr("ws: port {port} needs more rights; choose one above 1023", port=port)) from None
        raise SettingsError(
            tr("ws: cannot listen at {host} ({reason})", host=host or tr("this machine"), reason=error.strerror)
        ) from None


def _own_address() -> str:
    """How other machines reach this one: by the address from which it would send. Nothing is sent to find that out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(("192.0.2.1", 9))  # an address for documents (RFC 5737)
            return str(asking.getsockname()[0])
        except OSError:
            return socket.gethostname()


def _jpeg(picture: Picture) -> bytes:
    image = picture.image()
    height, width = image.shape[:2]
    wide = float(picture.pixel_aspect) * width
    scale = min(1.0, _VIDEO_WIDTH / wide)
    size = max(1, round(wide * scale)), max(1, round(height * scale))
    if size != (width, height):
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not done:
        raise ValueError(tr("the picture cannot be written as JPEG"))
    return data.tobytes()


def _text(data: dict[str, Any]) -> str:
    # ASCII: names of files may hold what no text in UTF-8 can.
    return json.dumps(data, allow_nan=False, separators=(",", ":"))
