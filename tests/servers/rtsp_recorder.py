"""An RTSP server that takes the stream of one publisher. Needs Debian's own Python (PyGObject).

Usage: rtsp_recorder.py PORT [USER PASSWORD]. Prints "ready" and then each access unit of H.264 as it comes: eight bytes
with its time in nanoseconds, four with its length, and its bytes; all numbers big-endian.
"""

import struct
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

port, *login = sys.argv[1:]
Gst.init(None)
factory = GstRtspServer.RTSPMediaFactory()
factory.set_transport_mode(GstRtspServer.RTSPTransportMode.RECORD)
factory.set_latency(0)
factory.set_launch(
    "( rtph264depay name=depay0 ! h264parse config-interval=-1"
    " ! video/x-h264,stream-format=byte-stream,alignment=au ! appsink name=taken emit-signals=true sync=false )"
)


def take(sink):
    buffer = sink.emit("pull-sample").get_buffer()
    data = buffer.extract_dup(0, buffer.get_size())
    sys.stdout.buffer.write(struct.pack(">QI", buffer.pts, len(data)) + data)
    sys.stdout.buffer.flush()
    return Gst.FlowReturn.OK


def begin(_factory, media):
    media.get_element().get_by_name_recurse_up("taken").connect("new-sample", take)


factory.connect("media-configure", begin)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(port)
if login:
    user, password = login
    token = GstRtspServer.RTSPToken()
    token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, user)
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    auth.add_digest(user, password, token)
    server.set_auth(auth)
    rights = GstRtspServer.RTSPPermissions()
    rights.add_permission_for_role(user, GstRtspServer.RTSP_PERM_MEDIA_FACTORY_ACCESS, True)
    rights.add_permission_for_role(user, GstRtspServer.RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, True)
    factory.set_permissions(rights)
server.get_mount_points().add_factory("/live", factory)
server.attach(None)
print("ready", flush=True)
GLib.MainLoop().run()
