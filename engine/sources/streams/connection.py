"""One connection to a network stream, from opening to loss. Errors are explained here, without secrets."""

from __future__ import annotations

import errno
import math
import re
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from ssl import SSLCertVerificationError
from typing import Any, Final, Literal, cast
from urllib.error import HTTPError, URLError

import av
import av.error
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from mien.engine.language import tr
from mien.engine.media.colour import colour_of
from mien.engine.media.container import decodable, decoder_limit
from mien.engine.media.rationals import frame_rate, pts_s, sample_aspect
from mien.engine.sources.address import SourceAddress
from mien.engine.sources.base import LIVE_TIME_BASE, LiveSettings, too_large
from mien.engine.sources.streams.audio import AudioReader, DecodedAudio
from mien.engine.sources.streams.certificates import (
    Fetcher,
    check_ca_file,
    distrust,
    encryption,
    explained,
    no_playlists,
    tls_options,
)
from mien.engine.types import SourceInfo

_MICRO: Final = 1_000_000
_WAITED_S: Final = 0.002  # a packet that was there already is read faster
_HURRY_S: Final = 2.0  # so long without a single wait: decoding cannot keep up
_FILE_ANALYSE_S: Final = 2.0  # over HTTP comes much that is not live, read as fast as the network gives it
_END_S: Final = 1.0  # announced lengths are rounded
_HIGHEST_RATE: Final = 1000
_NOT_ITS_OWN_HTTP: Final = {"http_persistent": "0", "http_multiple": "0"}  # so that a Fetcher is asked
_REFUSALS: Final = (av.error.HTTPError, av.error.HTTPClientError)
_WEB_PROTOCOLS: Final = "http,https,httpproxy,tcp,tls,crypto,data"  # no playlist may make this program read files


class Lost(Exception):
    """The connection ended or could not be made. The message is for people and holds no secret.

    Attributes:
        cause: "login" or "path" was refused (or what is there, for its size), or the server's "certificate" is not
            trusted, so that trying again would not help; the server is "gone", so that a knock will tell when it is
            back; "other": it may be gone or not.
    """

    def __init__(self, message: str, cause: Literal["login", "path", "certificate", "gone", "other"] = "other") -> None:
        super().__init__(message)
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Arrival:
    """A decoded frame.

    Attributes:
        decoded: the frame.
        arrived_s: `time.monotonic()` when it was decoded.
        waited: whether its packet had to be waited for, so that no newer one is queued up.
    """

    decoded: VideoFrame
    arrived_s: float
    waited: bool


class Connection:
    """Opens a stream.

    Attributes:
        paced: its frames can be read faster than they play, as those of files and of HLS.

    Raises:
        Lost: it cannot be opened.
    """

    def __init__(self, address: SourceAddress, settings: LiveSettings) -> None:
        self._name = address.name
        self._encryption = encryption(address)
        self._settings = settings
        # One for all packets: PyAV 18 lets go of nothing where one of these is left before its end; with one for each
        # packet, an hour of video and audio took 40 MB.
        self._packets: Generator[Packet[Any], None, None] | None = None
        self._container = _open(address, settings)
        sent = self._container.streams.video
        streams = [stream for stream in sent if decodable(stream)]
        if not streams:
            self.close()
            if sent:
                raise Lost(
                    tr(
                        "{address}: its video cannot be decoded; set the camera to H.264 or H.265", address=address.name
                    ),
                    "path",
                )
            raise Lost(tr("{address}: sends no video; check the address", address=address.name))
        self._stream: VideoStream = streams[0]
        self._stream.thread_type = "SLICE"  # threads by frames would hold frames back
        context = self._stream.codec_context
        context.options = decoder_limit(settings.max_pixels)
        if context.width * context.height > settings.max_pixels:
            self.close()
            raise Lost(too_large(address.name, context.width, context.height, settings.max_pixels), "path")
        self._audio = AudioReader(self._container)
        self._read_along = [self._stream] if self._audio.stream is None else [self._stream, self._audio.stream]
        format_name = self._container.format.name
        seconds = (self._container.duration or 0) / av.time_base
        playlist = "hls" in format_name
        # A length in seconds or, where the server cannot seek, in bytes: something that lies there whole.
        length = self._container.size or 0  # where it is not known: None from PyAV 19 on, before that below zero
        whole = address.scheme in ("http", "https") and (seconds > 0 or (not playlist and length > 0))
        self.paced = whole or playlist
        self._whole = whole
        self._end_s = (self._container.start_time or 0) / av.time_base + seconds - _END_S if seconds > 0 else -math.inf
        self._last_s = math.inf  # time of the last frame; without times the end is taken for what it seems
        self._timed = format_name != "mpjpeg"  # it has no times, and those that FFmpeg makes up are wrong

    def arrivals(self, cancelled: Callable[[], bool]) -> Iterator[Arrival]:
        """The frames, until the end of the stream or until `cancelled` says so.

        Raises:
            Lost: nothing more can be read, or no frame came for `LiveSettings.stall_s`.
        """
        seen_s = waited_s = time.monotonic()
        hurrying = waited = False
        while not cancelled():
            asked_s = time.monotonic()
            packet = self._read()
            now_s = time.monotonic()
            if now_s - asked_s > _WAITED_S:
                # Whoever waited for the audio between two frames has no frame queued up either.
                waited, waited_s = True, now_s
            if packet is not None and packet.stream is self._audio.stream:
                self._audio.read(packet)
                packet = None
            hurrying = hurrying or (not self.paced and now_s - waited_s > _HURRY_S)
            at_end = packet is not None and packet.size == 0  # its decoding gives what the decoder still held back
            # Too slow for all frames: read without decoding what is queued, and begin again at a keyframe.
            if packet is not None and (not hurrying or at_end or (packet.is_keyframe and waited)):
                hurrying = False
                for decoded in self._decode(packet):
                    decoded_s = pts_s(decoded)
                    self._last_s = math.inf if decoded_s is None else decoded_s
                    yield Arrival(decoded, time.monotonic(), waited)
                    seen_s = time.monotonic()  # what the taker did with it is not the stream's silence
            waited = waited and packet is None
            if at_end:
                return
            if time.monotonic() - seen_s > self._settings.stall_s:
                raise Lost(tr("{name}: no frame for {stall_s:g} s", name=self._name, stall_s=self._settings.stall_s))

    @property
    def complete(self) -> bool:
        """Whether a stream that ended was played to its end, so that nothing more will come."""
        return self._whole and self._last_s >= self._end_s

    def stream_s(self, decoded: VideoFrame) -> float | None:
        """The time of a frame in the stream, in seconds; None where the stream does not say."""
        return pts_s(decoded) if self._timed else None

    def chunks(self) -> list[DecodedAudio]:
        """The audio decoded since the last call."""
        return self._audio.take()

    def describe(self, decoded: VideoFrame) -> SourceInfo:
        """What the frames of this connection are like, from one of them."""
        rate, aspect = frame_rate(self._stream), sample_aspect(self._stream)
        width, height = decoded.width, decoded.height
        if decoded.rotation % 180:
            width, height, aspect = height, width, 1 / aspect
        return SourceInfo(
            name=self._name,
            width=width,
            height=height,
            frame_rate=rate if rate and rate <= _HIGHEST_RATE else None,
            frames=None,
            duration_s=None,
            time_base=LIVE_TIME_BASE,
            sample_aspect=aspect,
            colour=colour_of(decoded),
            codec=self._stream.codec_context.name,
            audio_codec=self._audio.codec,
            encryption=self._encryption,
        )

    def close(self) -> None:
        """Close the stream. Only the thread that reads may call this."""
        if self._packets is not None:
            self._packets.close()
        self._container.close()

    def _read(self) -> Packet[Any] | None:
        """The next packet of video or audio; None when none came in time, and reading can go on.

        At the end it is an empty one of the frame.
        """
        lost: Lost | None = None
        try:
            if self._packets is None:
                self._packets = cast("Generator[Packet[Any], None, None]", self._container.demux(*self._read_along))
            for packet in self._packets:
                if packet.size or packet.stream is self._stream:
                    return packet
            lost = Lost(tr("{name}: the stream has ended", name=self._name))
        except av.error.ExitError:
            self._packets = None  # it has ended; the container can still be read
            return None
        except Exception:
            lost = Lost(tr("{name}: the connection broke", name=self._name))  # why, the next attempt to open will tell
        raise lost  # not inside "except": the error that carries the address must not hang on to this one

    def _decode(self, packet: Packet[VideoStream]) -> list[VideoFrame]:
        try:
            return [frame for frame in packet.decode() if isinstance(frame, VideoFrame)]
        except (av.error.FFmpegError, ValueError):
            return []  # damaged, or cut by a loss; whether any frame comes is watched elsewhere


def _open(address: SourceAddress, settings: LiveSettings) -> InputContainer:
    """Open a stream with the options of its protocol.

    Raises:
        Lost: it cannot be opened.
    """
    wrong = None if address.ca_file is None else check_ca_file(address.ca_file)
    if wrong:
        raise Lost(
            tr("{ca_file}: {wrong}; give certificates in PEM format", ca_file=address.ca_file, wrong=wrong),
            "certificate",
        )
    options = {"analyzeduration": str(round(settings.analyse_s * _MICRO))}
    options |= tls_options(address) | decoder_limit(settings.max_pixels)
    more: dict[str, Any] = {}
    rtsp, web = address.scheme in ("rtsp", "rtsps"), address.scheme in ("http", "https")
    if rtsp:
        options["rtsp_transport"] = settings.transport or address.transport
        options["allowed_media_types"] = "video+audio"
    elif web:
        options |= {"protocol_whitelist": _WEB_PROTOCOLS, "analyzeduration": str(round(_FILE_ANALYSE_S * _MICRO))}
    checked = web and encryption(address) == "verified"
    if checked:
        options["format_whitelist"] = no_playlists()
    opened = _try(address, settings, options, more)
    if checked and isinstance(opened, av.error.ArgumentError):
        # A playlist: what it names, FFmpeg would fetch without checking from whom.
        del options["format_whitelist"]
        options |= _NOT_ITS_OWN_HTTP
        more["io_open"] = fetcher = Fetcher(address, settings.open_timeout_s)
        opened = _try(address, settings, options, more)
        if not isinstance(opened, InputContainer) and fetcher.failure is not None:
            opened = fetcher.failure
    elif web and encryption(address) == "unverified" and not isinstance(opened, InputContainer):
        # A playlist, perhaps: from 8.1 on FFmpeg checks the certificates of what it names, whatever it was told.
        own = {"io_open": Fetcher(address, settings.open_timeout_s)}
        again = _try(address, settings, options | _NOT_ITS_OWN_HTTP, own)
        opened = again if isinstance(again, InputContainer) else opened
    if isinstance(opened, InputContainer):
        return opened
    lost = _explain(opened, address, settings)
    if rtsp and isinstance(opened, (*_REFUSALS, av.error.InvalidDataError)) and lost.cause != "login":
        # Some cameras announce audio that they then refuse to send, which ends FFmpeg's whole attempt.
        opened = _try(address, settings, options | {"allowed_media_types": "video"}, more)
        if isinstance(opened, InputContainer):
            return opened
        lost = _explain(opened, address, settings)
    raise lost


def _try(
    address: SourceAddress, settings: LiveSettings, options: dict[str, str], more: dict[str, Any]
) -> InputContainer | Exception:
    """Open, or return the error: PyAV writes the whole address into the text of its errors, so none may be raised."""
    timeout = (settings.open_timeout_s, settings.read_timeout_s)
    try:
        opened: InputContainer = av.open(address.secret_url(), options=options, timeout=timeout, **more)
    except Exception as error:
        return error
    return opened


def _explain(error: Exception, address: SourceAddress, settings: LiveSettings) -> Lost:
    """What `error` means for the user; nothing of its own text is used."""
    name = address.name
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError) or _status(error) in (401, 403):
        if address.login is None:
            return Lost(tr("{name}: asks for a login; give user name and password", name=name), "login")
        return Lost(tr("{name}: user name or password is wrong; correct them and open it again", name=name), "login")
    if isinstance(error, av.error.HTTPNotFoundError) or _status(error) == 404:
        return Lost(tr("{name}: the server does not know this path; correct the address", name=name), "path")
    if isinstance(error, _REFUSALS):
        return Lost(tr("{name}: the server refuses ({title})", name=name, title=_title(error)))
    if _status(error):
        return Lost(tr("{name}: the server refuses ({status})", name=name, status=_status(error)))
    if isinstance(error, ConnectionRefusedError):
        return Lost(
            tr("{name}: nobody answers on port {port}; is it switched on?", name=name, port=address.port), "gone"
        )
    if isinstance(error, av.error.ExitError | TimeoutError):
        return Lost(tr("{name}: does not answer", name=name))
    if isinstance(error, av.error.InvalidDataError):
        return Lost(tr("{name}: does not answer with a video stream that can be read", name=name))
    code = error.errno if isinstance(error, OSError) else None
    if code in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.ENETDOWN):
        return Lost(tr("{name}: cannot be reached; check the address and the network", name=name), "gone")
    # FFmpeg says of a bad certificate what it says of a broken connection.
    nested = error.reason if isinstance(error, URLError) else None
    known = explained(nested) if isinstance(nested, SSLCertVerificationError) else None
    reason = known or distrust(address, settings.open_timeout_s)
    if reason is not None:
        return Lost(
            tr(
                "{name}: the server's certificate is not trusted ({reason}); trust its authority with "
                "--tls-ca FILE, or do not check with --tls-insecure",
                name=name,
                reason=reason,
            ),
            "certificate",
        )
    if isinstance(error, ConnectionError | URLError) or code == errno.EIO:
        # FFmpeg's word for much: a host without an address, too.
        return Lost(tr("{name}: cannot be found, or breaks off; check the address and the network", name=name))
    return Lost(tr("{name}: cannot be read ({title})", name=name, title=_title(error)))


def _status(error: Exception) -> int | None:
    """The HTTP status of a server that Python asked instead of FFmpeg."""
    return error.code if isinstance(error, HTTPError) else None


def _title(error: Exception) -> str:
    """The kind of an error in words: "bad request" of an `HTTPBadRequestError`."""
    if isinstance(error, av.error.HTTPOtherClientError):
        return "4xx"  # FFmpeg keeps the rest of the number to itself
    name = type(error).__name__.removesuffix("Error").removeprefix("HTTP")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower() or "HTTP error"
