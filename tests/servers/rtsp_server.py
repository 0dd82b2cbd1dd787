"""A camera for tests: serves H.264 frames for ever over RTSP. Needs Debian's own Python (PyGObject).

Usage: rtsp_server.py FOLDER PORT PATH [--tls CERTIFICATE.pem] [USER PASSWORD]. FOLDER holds one access unit in each of
00000.h264, 00001.h264 and so on, and, where there is audio, audio.alaw: A-law at 8 kHz, to each frame as much as it
lasts. Frames last 40 ms, or as long as "ms" in the folder says. Prints its port once it listens; PORT 0 takes a free
one. The file of a certificate holds its key, too.
"""

import itertools
import sys
from pathlib import Path

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

folder, port, path, *login = sys.argv[1:]
certificate = login[1] if login[:1] == ["--tls"] else None
if certificate:
    login = login[2:]
Gst.init(None)
factory = GstRtspServer.RTSPMediaFactory()
factory.set_shared(True)
images = [file.read_bytes() for file in sorted(Path(folder).glob("*.h264"))]
audio = Path(folder, "audio.alaw")
step_ms = int(Path(folder, "ms").read_text()) if Path(folder, "ms").exists() else 40
size = 8 * step_ms
pieces = [audio.read_bytes()[at : at + size] for at in range(0, size * len(images), size)] if audio.exists() else []
microphone = (
    " appsrc name=microphone is-live=true format=time caps=audio/x-alaw,rate=8000,channels=1"
    " ! rtppcmapay name=pay1 pt=8"
)
factory.set_launch(
    "( appsrc name=camera is-live=true format=time"
    f' caps="video/x-h264,stream-format=byte-stream,alignment=au,framerate={round(1000 / step_ms)}/1"'
    " ! h264parse config-interval=-1 ! rtph264pay name=pay0 pt=96" + (microphone if pieces else "") + " )"
)


def stamped(data, time_ns):
    buffer = Gst.Buffer.new_wrapped(data)
    buffer.pts = buffer.dts = time_ns
    return buffer


def film(_factory, media):
    camera, microphone = (media.get_element().get_by_name_recurse_up(name) for name in ("camera", "microphone"))
    order, count, step = itertools.cycle(range(len(images))), 0, step_ms * Gst.MSECOND

    begun = None  # on the pipeline's clock, nanoseconds

    def take():
        # Frame and audio of one moment carry one time, and times go on evenly however late this is called: stamped as
        # they are pushed (do-timestamp), each in a thread of its own, they drift apart on a busy machine.
        nonlocal begun, count
        clock = camera.get_clock()
        now = clock.get_time() - camera.get_base_time() if clock else 0
        due = now if begun is None else begun + count * step
        if begun is None or now - due > Gst.SECOND:  # what was frozen takes nothing meanwhile
            begun, due = (now - count * step, now) if clock else (None, 0)
        flow = Gst.FlowReturn.OK
        while due <= now and flow == Gst.FlowReturn.OK:
            index = next(order)
            if pieces:
                microphone.emit("push-buffer", stamped(pieces[index], due))
            flow = camera.emit("push-buffer", stamped(images[index], due))
            count, due = count + 1, due + step
        return flow == Gst.FlowReturn.OK  # until the last client has left

    GLib.timeout_add(step_ms, take)


factory.connect("media-configure", film)
server = GstRtspServer.RTSPServer(address="127.0.0.1", service=port)
if login or certificate:
    user, password = login or ("anybody", "")
    token = GstRtspServer.RTSPToken()
    token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, user)
    auth = GstRtspServer.RTSPAuth()
    if login:
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(user, password, token)
    else:
        auth.set_default_token(token)
    if certificate:
        auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(certificate))
    server.set_auth(auth)
    rights = GstRtspServer.RTSPPermissions()
    rights.add_permission_for_role(user, GstRtspServer.RTSP_PERM_MEDIA_FACTORY_ACCESS, True)
    rights.add_permission_for_role(user, GstRtspServer.RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, True)
    factory.set_permissions(rights)
server.get_mount_points().add_factory(f"/{path}", factory)
if not server.attach(None):
    sys.exit(f"the port {port} is taken")
GLib.timeout_add_seconds(2, lambda: server.get_session_pool().cleanup() >= 0)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
