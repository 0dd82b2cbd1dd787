"""Whom does Mien talk to? Runs all that Mien does where every address leads here, and prints who was contacted.

    python tests/faults/silence.py

In a network namespace of its own all addresses lie on the loopback device, a name server gives every name an address,
and port 443 speaks TLS: whatever wants to report to its makers finds what it looks for. Every packet to anybody but
this machine is read off the wire, so that no attempt is missed. `CI` is not set, for it silences some libraries. To
show that the script sees something, it begins with the same libraries without Mien's switches.

Needs Linux with iproute2 and util-linux, and root or user namespaces; a face detector in the cache; for `train` and
`--ray` the extras train and cluster. Takes about five minutes. Exits with 1 where anybody was contacted who should not
have been.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from mien.engine.inference.downloads import resolve_detector
from tests.certificates import make_certificates

ROOT = Path(__file__).parents[2]
DNS = 53
TLS = 443
# Until everything that reports has tried: seen after 1 to 14 seconds.
HOLD_S = 20.0

# The libraries as they are: without the switches, but with all that Mien does else.
BARE = """
import os, sys, time
import mien.engine.system as system
if sys.argv[1] == "bare":
    system.silence_telemetry = lambda: None
from pathlib import Path
import numpy as np
from mien.app.embedded import embedded_bundle
from mien.engine.faces.detector import FaceDetector
from mien.engine.inference.bundle import load_bundle
from mien.engine.inference.predictor import Predictor
predictor = Predictor(load_bundle(embedded_bundle()), provider="cpu", background=False)
detector = FaceDetector(Path(sys.argv[2]))
for _ in range(10):
    detector.detect(np.zeros((240, 320, 3), np.uint8))
time.sleep(float(sys.argv[3]) / 2)
detector.close()
time.sleep(float(sys.argv[3]) / 2)
"""

DOCTOR = """
import mien.engine.system as system
system.silence_telemetry = lambda: None
from mien.app.cli import main
main()
"""


class Wire:
    """Everything that goes to an address outside this machine, and every question for a name."""

    def __init__(self) -> None:
        self.contacts: dict[str, None] = {}
        self._names: dict[str, str] = {}
        self._lock = threading.Lock()
        self._sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0003))
        self._sniffer.bind(("lo", 0x0003))
        threading.Thread(target=self._sniff, daemon=True).start()

    def take(self) -> list[str]:
        """Who was contacted since the last call."""
        with self._lock:
            taken, self.contacts = list(self.contacts), {}
        return taken

    def note(self, what: str) -> None:
        with self._lock:
            self.contacts[what] = None

    def address_of(self, name: str) -> str:
        """An address for a name; the same for the same name."""
        with self._lock:
            known = {name: address for address, name in self._names.items()}
            address = known.get(name) or f"203.0.113.{len(self._names) + 1}"
            self._names[address] = name
        return address

    def _sniff(self) -> None:
        while True:
            packet, (_, _, kind, *_) = self._sniffer.recvfrom(65_535)
            if kind == socket.PACKET_OUTGOING and packet:  # each comes twice on the loopback device
                with suppress(IndexError, ValueError):
                    self._look(packet)

    def _look(self, packet: bytes) -> None:
        if packet[0] >> 4 == 4:
            header, protocol = (packet[0] & 15) * 4, packet[9]
            target: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(packet[16:20])
            source: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(packet[12:16])
        else:
            header, protocol = 40, packet[6]
            source, target = ipaddress.ip_address(packet[8:24]), ipaddress.ip_address(packet[24:40])
        body = packet[header:]
        port = int.from_bytes(body[2:4], "big")
        opens = protocol == socket.IPPROTO_TCP and body[13] & 0x12 == 0x02  # SYN without ACK
        asks = protocol == socket.IPPROTO_UDP
        outside = not target.is_loopback and not target.is_multicast
        if not (opens or asks):
            return
        if asks and source.is_loopback and int.from_bytes(body[:2], "big") == DNS:
            return  # an answer of ours
        if port == DNS and asks:
            self.note(f"look-up of {_asked(body[8:])}")
        elif outside:
            name = self._names.get(str(target))
            self.note(f"{name or target} ({target}), port {port}, {'TCP' if opens else 'UDP'}")


def _asked(question: bytes) -> str:
    """The name in a question to a name server."""
    labels, at = [], 12
    while question[at]:
        labels.append(question[at + 1 : at + 1 + question[at]].decode("ascii", "replace"))
        at += question[at] + 1
    return ".".join(labels)


def serve_names(wire: Wire) -> None:
    """A name server that knows everybody."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", DNS))
    while True:
        question, peer = server.recvfrom(4096)
        with suppress(IndexError):
            end = question.index(0, 12) + 5
            is_a = question[end - 4 : end - 2] == b"\0\1"
            head = question[:2] + b"\x81\x80\0\1" + (b"\0\1" if is_a else b"\0\0") + b"\0\0\0\0" + question[12:end]
            answer = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(wire.address_of(_asked(question)))
            server.sendto(head + (answer if is_a else b""), peer)


def serve_tls(certificate: Path, wire: Wire) -> None:
    """Takes every TLS connection, and notes what is said in it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda _, name, __: wire.note(f"TLS handshake for {name}")
    listener = socket.create_server(("0.0.0.0", TLS), backlog=50)

    def talk(plain: socket.socket) -> None:
        with suppress(OSError, ValueError), context.wrap_socket(plain, server_side=True) as peer:
            peer.settimeout(5)
            if said := peer.recv(65_536):
                wire.note(f"in TLS: {said[:80]!r}")

    while True:
        plain, _ = listener.accept()
        threading.Thread(target=talk, args=(plain,), daemon=True).start()


class Cases:
    """Runs commands and prints who was contacted meanwhile."""

    def __init__(self, wire: Wire, folder: Path, detector: Path) -> None:
        self.wire, self.folder, self.detector = wire, folder, detector
        self.broken = 0
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if name != "CI" and "proxy" not in name.lower() and not name.startswith(("ORT_", "PIP_", "XDG_"))
        } | {
            "HOME": str(folder / "home"), "MIEN_CACHE": str(detector.parent), "MIEN_CONFIG": str(folder / "config"),
            "QT_QPA_PLATFORM": "offscreen",
            "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        }  # fmt: skip
        (folder / "home").mkdir()

    def run(
        self,
        name: str,
        command: list[str],
        *,
        allowed: Callable[[list[str]], bool] = lambda contacts: not contacts,
        expected: str = "nobody",
        end_after_s: float | None = None,
        code: int = 0,
        **environment: str,
    ) -> str:
        """Run a command; `allowed` judges who was contacted, `end_after_s` ends a window politely."""
        self.wire.take()
        output = self.folder / "output.txt"
        with output.open("w") as stream:
            process = subprocess.Popen(
                [sys.executable, *command], cwd=ROOT, env=self.environment | environment, stdout=stream,
                stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            )  # fmt: skip
            if end_after_s is not None:
                time.sleep(end_after_s)
                process.send_signal(signal.SIGTERM)
            status = process.wait(timeout=300)
        time.sleep(1)
        contacts = self.wire.take()
        kept = allowed(contacts) and status == code
        self.broken += not kept
        print(f"{name:<52} exit {status}; expected: {expected}{'' if kept else '   <-- BROKEN PROMISE'}")
        for contact in contacts or ["nobody was contacted"]:
            print(f"    {contact}")
        sys.stdout.flush()
        text = output.read_text(errors="replace")
        if status != code:
            print(text[-2000:])
        return text


def told(contacts: list[str], *names: str) -> bool:
    return all(any(name in contact for contact in contacts) for name in names)


def examine(folder: Path, detector: Path) -> int:
    """Everything, inside the namespace."""
    for command in ("ip link set lo up", "ip route add local 0.0.0.0/0 dev lo", "ip -6 route add local ::/0 dev lo"):
        subprocess.run(command.split(), check=command != "ip -6 route add local ::/0 dev lo", capture_output=True)
    (folder / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    subprocess.run(
        ["mount", "--bind", str(folder / "resolv.conf"), str(Path("/etc/resolv.conf").resolve())], check=True
    )
    certificates = make_certificates(folder / "certificates")
    wire = Wire()
    threading.Thread(target=serve_names, args=(wire,), daemon=True).start()
    threading.Thread(target=serve_tls, args=(certificates.self_signed, wire), daemon=True).start()
    time.sleep(0.5)
    cases = Cases(wire, folder, detector)
    hold = str(HOLD_S)

    print("What the libraries do by themselves:\n")
    cases.run(
        "a detector and a model, without Mien's switches",
        ["-c", BARE, "bare", str(detector), hold],
        allowed=lambda contacts: told(contacts, "play.googleapis.com", "microsoft.com"),
        expected="Google and Microsoft",
    )
    said = cases.run(
        "mien doctor, without Mien's switches",
        ["-c", DOCTOR, "doctor"],
        allowed=lambda contacts: told(contacts, "play.googleapis.com"),
        expected="Google, and doctor says so",
        code=2,
    )
    print("    " + next(line for line in said.splitlines() if line.startswith("sends nothing")))
    print("\nWhat Mien does:\n")
    cases.run("the same with them (the library, without commands)", ["-c", BARE, "silent", str(detector), hold])
    home = sorted(path.relative_to(folder) for path in (folder / "home").rglob("*") if path.is_file())
    shutil.rmtree(folder / "home")
    (folder / "home").mkdir()
    said = cases.run("mien doctor", ["main.py", "doctor"])
    print("    " + next(line for line in said.splitlines() if line.startswith("sends nothing")))
    clip = folder / "clip.mp4"
    cases.run("mien annotate demo", ["main.py", "annotate", "demo", "-o", str(clip)])
    videos = folder / "videos"
    videos.mkdir()
    for number in range(2):
        shutil.copy(clip, videos / f"{number}.mp4")
    cases.run(
        "mien annotate FOLDER (processes of their own)",
        ["main.py", "annotate", str(videos), "-o", str(folder / "out"), "--jobs", "2"],
    )
    recordings = folder / "recordings"
    cases.run("mien watch demo --record", ["main.py", "watch", "demo", "--record", str(recordings), "--seconds", hold])
    cases.run("the window", ["main.py", "--source", "demo"], end_after_s=HOLD_S)
    training = "tests/models/family/test_family_training.py"
    cases.run(
        "mien train (a tiny network, three runs)",
        ["-m", "pytest", "-q", "-p", "no:cacheprovider", training, "-k", "killed_run and cliper"],
    )
    if find_spec("ray") is None:
        print("mien annotate --ray: left out, the package ray is not installed")
    else:
        ray = [sys.executable, "-c", "from ray.scripts.scripts import main; main()"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": cases.environment}
        # The cluster is the user's; here it must not report either, or its own reports would be taken for Mien's.
        quiet["env"] |= {"RAY_USAGE_STATS_ENABLED": "0"}
        start = [*ray, "start", "--head", "--num-cpus=2", "--include-dashboard=false", "--node-ip-address=127.0.0.1"]
        subprocess.run(start, check=True, **quiet)
        cases.run(
            "mien annotate --ray",
            ["main.py", "annotate", str(videos), "-o", str(folder / "far"), "--ray", "127.0.0.1:6379"],
        )
        subprocess.run([*ray, "stop"], check=False, **quiet)
    cases.run(
        "mien doctor behind a proxy with exceptions",
        ["main.py", "doctor"],
        https_proxy="http://proxy.example:3128",
        no_proxy="*",
    )
    left = sorted(path.relative_to(folder) for path in (folder / "home").rglob("*") if path.is_file())
    announced = cases.run(
        "mien watch, with no detector in the cache",
        ["main.py", "watch", "demo", "--seconds", "2"],
        allowed=lambda contacts: (
            told(contacts, "storage.googleapis.com")
            and not told(contacts, "play.googleapis.com")
            and not told(contacts, "microsoft")
        ),
        expected="the download that it announces",
        code=2,
        MIEN_CACHE=str(folder / "empty"),
        PIP_INDEX_URL="https://pypi.org/simple",
        PIP_RETRIES="0",
    )
    for line in announced.splitlines():
        if "fetching" in line or "downloading" in line:
            print(f"    it says: {line}")
    print("\nFiles in the home folder after the bare libraries ran:", *(home or ["none"]), sep="\n    ")
    print("\nFiles in the home folder after Mien ran:", *(left or ["none"]), sep="\n    ")
    print(f"\n{'NOT silent' if cases.broken else 'Silent'}: {cases.broken} promises broken")
    return min(cases.broken, 1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inside", nargs=2, type=Path, help=argparse.SUPPRESS)
    inside = parser.parse_args().inside
    if inside:
        return examine(*inside)
    detector = resolve_detector("short")
    with tempfile.TemporaryDirectory(prefix="mien-silence-") as folder:
        shutil.copytree(detector.parent, Path(folder) / "cache")
        command = ["unshare", "--net", "--mount", "--fork", "--propagation", "private"]
        command += [] if os.geteuid() == 0 else ["--map-root-user"]
        command += [sys.executable, __file__, "--inside", folder, str(Path(folder) / "cache" / detector.name)]
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
