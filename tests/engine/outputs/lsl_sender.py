"""Sends markers over Lab Streaming Layer from a process of its own, as a stimulus program does.

python lsl_sender.py NAME: says "ready" when somebody listens, then sends a marker for each line of its input, and
prints the `time.monotonic()` at which it says it happened.
"""

from __future__ import annotations

import sys
import time

import pylsl


def main() -> None:
    alone = "[ports]\nIPv6 = disable\n[multicast]\nResolveScope = machine\n[log]\nlevel = -2\n"
    pylsl.lib.lib.lsl_set_config_content(alone.encode())
    name = sys.argv[1]
    outlet = pylsl.StreamOutlet(
        pylsl.StreamInfo(name, "Markers", 1, pylsl.IRREGULAR_RATE, pylsl.cf_string, f"sender-{name}")
    )
    while not outlet.wait_for_consumers(1):
        pass
    print("ready", flush=True)
    for line in sys.stdin:
        at_s, stamp = time.monotonic() - 0.3, pylsl.local_clock() - 0.3
        outlet.push_sample([line.strip()], stamp)
        print(at_s, flush=True)


main()
