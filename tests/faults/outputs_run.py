"""Runs the outputs by Lab Streaming Layer and WebSocket for long, and compares what both ends have counted.

    python -m tests.faults.outputs_run [--minutes 60] [--rate 240]

Scenes of two people go out at eight times the usual rate, so an hour is as much as a working day. Receivers in
processes of their own count what arrives. Memory of the sending process is looked at once a second: between the first
and the last quarter of the run it must not grow by more than 2 %. Exits with 1 where counts or memory are wrong.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import socket
import sys
import time
from multiprocessing.connection import Connection
from typing import Any

import psutil

LSL_NAME = "Counted"


def receive_lsl(told: Connection, prefix: str) -> None:
    import pylsl

    name = f"{prefix} person 1"
    (info,) = pylsl.resolve_byprop("name", name, timeout=60)
    inlet = pylsl.StreamInlet(info, max_buflen=60)
    inlet.open_stream(timeout=30)
    told.send("ready")
    count = 0
    while not told.poll():
        count += len(inlet.pull_chunk(timeout=0.1, max_samples=4096)[0])
    told.recv()
    told.send((count, 0))


def receive_ws(told: Connection, address: str) -> None:
    from websockets.sync.client import connect

    count = missed = 0
    with connect(address, compression=None) as client:
        told.send("ready")
        while not told.poll():
            try:
                message: dict[str, Any] = json.loads(client.recv(0.1))
            except TimeoutError:
                continue
            if message["type"] == "scene":
                count += 1
            elif message["type"] == "dropped":
                missed = message["scenes"]
    told.recv()
    told.send((count, missed))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=240.0, help="scenes a second")
    chosen = parser.parse_args()
    from mien.engine.outputs.stage import OutputStage
    from tests.engine.outputs.scenes import live, prediction

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    lsl, ws = OutputStage("lsl", f"name={LSL_NAME}"), OutputStage("ws", str(port))
    people = {1: prediction(0.7, 0.2, 0.1), 2: prediction(0.1, 0.2, 0.7)}
    for stage in (lsl, ws):
        stage.offer(live(0, people))  # streams are opened with the first scene
    time.sleep(2.0)
    context = multiprocessing.get_context("spawn")
    ends = []
    address = ws.address().replace("http:", "ws:").replace("/?", "/ws?")
    for work, target in ((receive_lsl, LSL_NAME), (receive_ws, address)):
        here, there = context.Pipe()
        process = context.Process(target=work, args=(there, target), daemon=True)
        process.start()
        ends.append((here, process))
    for here, _ in ends:
        assert here.recv() == "ready"
    time.sleep(1.0)
    before = lsl.status().sent, ws.status().sent
    own, memory = psutil.Process(), []
    began, number, looked = time.monotonic(), 1, 0.0
    while (now := time.monotonic() - began) < 60 * chosen.minutes:
        if (wait := number / chosen.rate - now) > 0:
            time.sleep(wait)
        scene = live(number, people)
        lsl.offer(scene)
        ws.offer(scene)
        number += 1
        if now - looked >= 1.0:
            looked = now
            memory.append(own.memory_info().rss)
            if len(memory) % 60 == 0:
                print(f"{now / 60:5.1f} min  {number} scenes  {memory[-1] / 1e6:.1f} MB", flush=True)
    time.sleep(3.0)
    told = []
    for here, process in ends:
        here.send("end")
        told.append(here.recv())
        process.join(10)
    status = lsl.status(), ws.status()
    for stage in (lsl, ws):
        stage.close()
    lsl_sent, ws_sent = status[0].sent - before[0], status[1].sent - before[1]
    quarter = max(1, len(memory) // 4)
    grown = sum(memory[-quarter:]) / sum(memory[:quarter]) - 1
    (lsl_got, _), (ws_got, ws_missed) = told
    print(f"scenes offered {number - 1} in {chosen.minutes:g} minutes")
    print(f"lsl: sent {lsl_sent}, received {lsl_got}, dropped before sending {status[0].dropped}")
    print(f"ws: sent {ws_sent}, received {ws_got}, missed {ws_missed}, dropped before sending {status[1].dropped}")
    print(
        f"memory: {memory[0] / 1e6:.1f} MB at first, {memory[-1] / 1e6:.1f} MB at last, {grown:+.2%} between quarters"
    )
    good = lsl_sent == lsl_got and ws_sent == ws_got + ws_missed and grown < 0.02
    good &= lsl_sent + status[0].dropped == ws_sent + status[1].dropped == number - 1
    print("good" if good else "BAD")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
