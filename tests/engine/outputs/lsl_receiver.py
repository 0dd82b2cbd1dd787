"""A receiver of Lab Streaming Layer in a process of its own: prints what it is sent as lines of JSON.

    python lsl_receiver.py NAME STREAMS SECONDS

Waits for that many streams whose name begins so, says "ready", and ends when nothing has come for the seconds.
"""

from __future__ import annotations

import json
import sys
import time

import pylsl


def metadata(inlet: pylsl.StreamInlet) -> dict[str, object]:
    info = inlet.info(5)
    return {
        "name": info.name(),
        "type": info.type(),
        "rate": info.nominal_srate(),
        "labels": info.get_channel_labels(),
        "units": info.get_channel_units(),
        "source": info.desc().child_value("source"),
    }


def main() -> None:
    begin, expected, patience_s = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    pylsl.lib.lib.lsl_set_config_content(
        b"[ports]\nIPv6 = disable\n[multicast]\nResolveScope = machine\n[log]\nlevel = -2\n"
    )
    found: dict[str, pylsl.StreamInfo] = {}
    deadline = time.monotonic() + 30
    while len(found) < expected and time.monotonic() < deadline:
        for info in pylsl.resolve_bypred(f"starts-with(name,'{begin} ')", expected, 1.0):
            found.setdefault(info.name(), info)
    inlets = {name: pylsl.StreamInlet(info) for name, info in sorted(found.items())}
    for inlet in inlets.values():
        inlet.open_stream(10)
        print(json.dumps(metadata(inlet)), flush=True)
    offsets = {name: inlet.time_correction(10) for name, inlet in inlets.items()}
    print(json.dumps({"ready": offsets}), flush=True)
    last = time.monotonic()
    while time.monotonic() - last < patience_s:
        for name, inlet in inlets.items():
            while True:
                values, stamp = inlet.pull_sample(0.0)
                if values is None:
                    break
                print(json.dumps({"stream": name, "stamp": stamp, "values": values}), flush=True)
                last = time.monotonic()
        time.sleep(0.005)


main()
