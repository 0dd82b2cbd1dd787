"""Faults of the targets of live outputs, while a real session runs: it goes on as if there were none.

    python -m tests.faults.outputs

For each fault a session on a moving portrait is given an output with it. Expected is one line that says what is wrong,
every scene either sent or counted as dropped, and a session that goes on; where the target comes
to its senses, the output is well again by itself.
"""

from __future__ import annotations

import socket
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from pathlib import Path

from mien.app.embedded import chosen_bundle
from mien.engine.inference.downloads import resolve_detector
from mien.engine.live.session import LiveSession
from mien.engine.settings import Settings
from tests.faults.case import Case, main
from tests.live_sources import Reel, until
from tests.videos import portrait

Behaviour = Callable[[socket.socket], None]
_FAULT_S = 6.0
_WAITING = 32  # scenes that may still be on their way


def nothing(connection: socket.socket) -> None:
    """Takes the connection and never reads."""
    time.sleep(60)


def slow(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with suppress(OSError):
        while connection.recv(64):
            time.sleep(0.2)


def flood(connection: socket.socket) -> None:
    with suppress(OSError):
        while True:
            connection.sendall(bytes(range(256)) * 256)


def hang_up(connection: socket.socket) -> None:
    connection.recv(16)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def cases() -> Iterable[Case]:
    """One fault after the other, on one session."""
    bundle = chosen_bundle(None, None, "cpu", lambda line: None)
    with ExitStack() as stack, LiveSession(bundle, resolve_detector("short"), Settings(provider="cpu")) as session:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        until(lambda: session.status().model_state == "ready")
        session.play(Reel(portrait(60), rate=15))  # type: ignore[arg-type]
        until(lambda: session.status().counts.predictions > 10)

        def tried(name: str, kind: str, target: str, expected: str) -> Case:
            before = session.status().counts
            output = session.outputs.add(kind, target)
            time.sleep(_FAULT_S)
            status, after = output.status(), session.status().counts
            began = time.monotonic()
            session.outputs.remove(output)
            closed_s = time.monotonic() - began
            told = status.message.replace(target, "…") or f"well, {status.sent} sent, {status.dropped} dropped"
            frames = after.tracked - before.tracked
            # A busy machine drops frames by itself; that every scene is accounted for, and the end comes, holds always.
            fine = session.error is None and frames > 5 and closed_s < 4
            fine &= status.sent + status.dropped + _WAITING >= frames and "\n" not in status.message
            fine &= expected in told
            return Case(f"{kind}: {name}", expected, told[:120], fine)

        def with_peer(behaviour: Behaviour | None) -> int:
            server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

            def serve() -> None:
                with suppress(OSError):
                    while behaviour is not None:
                        connection, _ = server.accept()
                        with connection:
                            behaviour(connection)

            threading.Thread(target=serve, daemon=True).start()
            return int(server.getsockname()[1])

        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            away = probe.getsockname()[1]
        yield tried("nobody there (UDP)", "osc", f"127.0.0.1:{away}", "refused")
        yield tried("nobody there (TCP)", "osc", f"127.0.0.1:{away},tcp", "refused")
        yield tried("no such host", "osc", "no-such-host.invalid:9000", "cannot be reached")
        yield tried("takes the connection, reads nothing", "osc", f"127.0.0.1:{with_peer(nothing)},tcp", "")
        yield tried("reads slowly", "osc", f"127.0.0.1:{with_peer(slow)},tcp", "")
        yield tried("floods back garbage", "osc", f"127.0.0.1:{with_peer(flood)},tcp", "")
        yield tried("hangs up again and again", "osc", f"127.0.0.1:{with_peer(hang_up)},slip", "")
        yield tried("nobody there", "mqtt", f"mqtt://127.0.0.1:{away}", "refused")
        yield tried("half open: never accepts", "mqtt", f"mqtt://127.0.0.1:{with_peer(None)}", "does not answer")
        yield tried("floods back garbage", "mqtt", f"mqtt://127.0.0.1:{with_peer(flood)}", "cannot be reached")
        yield tried("hangs up again and again", "mqtt", f"mqtt://127.0.0.1:{with_peer(hang_up)}", "cannot be reached")
        yield tried("TLS to a peer that has none", "mqtt", f"mqtts://127.0.0.1:{with_peer(flood)}", "cannot be reached")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            try:
                taken.bind(("127.0.0.1", 16571))
            except OSError:
                yield Case("lsl: the port for questions is taken", "", "another program with streams runs", None)
            else:
                yield tried("the port for questions is taken", "lsl", "name=Faults", "is taken")
        yield tried("all is well", "json", str(folder / "lines.jsonl"), "well")


if __name__ == "__main__":
    main(cases)
