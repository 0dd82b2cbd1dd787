"""Lab Streaming Layer: a stream of numbers for each person slot, and one of events.

All samples are stamped with the moment at which their frame was captured. What a sample holds stands in its stream's
metadata, and in docs/outputs.md.
"""

from __future__ import annotations

import hashlib
import math
import platform
from typing import TYPE_CHECKING, Any, Final

from mien.engine.errors import SettingsError
from mien.engine.language import tr, trn
from mien.engine.outputs.base import Event, EventKind, LiveScene
from mien.engine.outputs.lsl.library import LslClock, Outlets, library
from mien.engine.outputs.slots import SILENCE_S, Slots
from mien.engine.outputs.targets import number, split_target
from mien.engine.types import Flaw, Status

if TYPE_CHECKING:
    from mien.engine.types import Face

NOBODY: Final = 0
STATUS_CODES: Final = {Status.OK: 1, Status.WARMING: 2, Status.UNCERTAIN: 3, Status.OCCLUDED: 4}
"""What the channel ``status`` holds; `NOBODY` where nobody is in the slot."""
FLAW_BITS: Final = {flaw: 1 << bit for bit, flaw in enumerate(Flaw)}
"""What the channel ``quality`` is the sum of; 0: good."""
_MOST: Final = 32  # slots: so many ports liblsl takes one after the other
_UNITS: Final = {
    "frame": "count", "session_s": "seconds", "track_id": "id", "status": "code", "quality": "bits", "x": "pixels",
    "y": "pixels", "width": "pixels", "height": "pixels", "score": "0 to 1", "window_steps": "count",
    "prediction_s": "seconds",
}  # fmt: skip


def channels(labels: tuple[str, ...], values: tuple[str, ...]) -> list[tuple[str, str]]:
    """Name and unit of each channel of a person's stream; the names are those of the columns of a recording's CSV."""
    return [
        *_UNITS.items(),
        *((f"p_{label}", "probability") for label in labels),
        *((f"raw_{label}", "probability") for label in labels),
        *((f"value_{value}", "") for value in values),
    ]


def sample(live: LiveScene, face: Face | None) -> list[float]:
    """The numbers of a slot with `face` in it, in the order of `channels`; NaN where there is nothing."""
    scene, frame = live.scene, live.scene.frame
    nothing = math.nan
    measured = [nothing] * (2 * len(live.labels) + len(live.values))
    if face is None:
        return [frame.index, frame.time_s, NOBODY, NOBODY, *[nothing] * 8, *measured]
    prediction, box = scene.predictions.get(face.track_id), face.box
    about = [frame.index, frame.time_s, face.track_id, STATUS_CODES[scene.status(face)]]
    place = [box.x, box.y, box.width, box.height, nothing if face.detection is None else face.detection.score]
    # While a face is hidden nothing is measured, and old numbers would pass for new ones.
    if prediction is None or not face.observed:
        return [*about, nothing, *place, nothing, nothing, *measured]
    return [
        *about,
        float(sum(FLAW_BITS[flaw] for flaw in prediction.flaws)),
        *place,
        prediction.steps,
        prediction.time_s,
        *prediction.probabilities.tolist(),
        *prediction.raw.tolist(),
        *(float(prediction.values.get(name, nothing)) for name in live.values),
    ]


def event_text(event: Event) -> str:
    """An event as one string, divided by slashes as MNE's event names are: "label/1/happiness", "marker/door"."""
    about = (str(event.track_id),) if event.track_id else ()
    return "/".join((event.kind.replace(" ", "_"), *about, *((event.text,) if event.text else ())))


class Lsl:
    """An `Output` that opens streams of Lab Streaming Layer.

    Args:
        target: wishes, divided by commas: ``network`` lets other machines find and read the streams; ``people=N`` opens
            the streams of N people at once, not only when they come; ``silence=SECONDS`` before a slot is given to
            somebody else; ``name=NAME`` in place of "Mien".

    Raises:
        SettingsError: a wish makes no sense, or liblsl cannot be used.
    """

    def __init__(self, target: str) -> None:
        known = {"network": False, "people": True, "silence": True, "name": True}
        place, wishes = split_target("lsl", target, known)
        if place:
            raise SettingsError(tr("lsl: there is no target; write --lsl, --lsl=network or --lsl=people=2"))
        self._people = int(number("lsl", wishes, "people", 1, 1, _MOST))
        self._slots = Slots(number("lsl", wishes, "silence", SILENCE_S, 0, 3600))
        self._name = wishes.get("name", "Mien")
        self._network = "network" in wishes
        self._pylsl = library(network=self._network)
        self._clock = LslClock(self._pylsl)
        self._outlets: Outlets | None = None
        self._streams: list[Any] = []  # of the slots, from 1
        self._events: Any = None
        self._about: tuple[object, ...] = ()
        self.detail = ""

    def send(self, live: LiveScene) -> None:
        self._open(live)
        stamp_s = self._clock.at(live.scene.frame.captured_s)
        placed = self._slots.place(live)
        while len(self._streams) < min(self._slots.highest, _MOST):
            self._streams.append(self._open_person(live, len(self._streams) + 1))
        for slot, stream in enumerate(self._streams, start=1):
            stream.push_sample(sample(live, placed.get(slot)), stamp_s)
        self.detail = trn("{count} stream", "{count} streams", len(self._streams) + 1)

    def tell(self, event: Event) -> None:
        if event.kind is EventKind.SOURCE:
            self._slots.clear()
        if self._events is None:
            self._events = self._open_events()
        self._events.push_sample([event_text(event)], self._clock.at(event.captured_s))

    def close(self) -> None:
        self._streams.clear()
        self._events = None
        if self._outlets is not None:
            self._outlets.close()
            self._outlets = None

    def _open(self, live: LiveScene) -> None:
        """Open the streams; those of people anew where they hold other numbers from now on."""
        about = (live.labels, live.values, live.source, _rate(live))
        if about != self._about:
            self._about = about
            self._streams.clear()
            self._streams += [self._open_person(live, slot) for slot in range(1, self._people + 1)]
        if self._events is None:
            self._events = self._open_events()

    def _open_person(self, live: LiveScene, slot: int) -> Any:
        names = channels(live.labels, live.values)
        rate = _rate(live)
        info = self._pylsl.StreamInfo(
            f"{self._name} person {slot}", "Expression", len(names), rate, self._pylsl.cf_double64,
            self._id("person", str(slot), live.source, *(name for name, _ in names)),
        )  # fmt: skip
        about = info.desc()
        about.append_child_value("manufacturer", "Mien")
        about.append_child_value("model", "" if live.manifest is None else live.manifest.name)
        about.append_child_value("source", live.source)
        about.append_child_value("slot", str(slot))
        # What XDF calls so: a frame that came too fast is left out, and its time with it.
        about.append_child("synchronization").append_child_value("can_drop_samples", "true")
        _codes(about.append_child("status"), {"nobody": NOBODY, **STATUS_CODES})
        _codes(about.append_child("quality"), {"good": 0, **FLAW_BITS})
        listed = about.append_child("channels")
        for name, unit in names:
            channel = listed.append_child("channel")
            channel.append_child_value("label", name)
            channel.append_child_value("unit", unit)
            channel.append_child_value("type", name.partition("_")[0] if unit in ("probability", "") else "about")
        return self._opened().open(info)

    def _open_events(self) -> Any:
        info = self._pylsl.StreamInfo(
            f"{self._name} events", "Markers", 1, self._pylsl.IRREGULAR_RATE, self._pylsl.cf_string, self._id("events")
        )
        info.desc().append_child_value("manufacturer", "Mien")
        return self._opened().open(info)

    def _opened(self) -> Outlets:
        if self._outlets is None:
            self._outlets = Outlets(self._pylsl, network=self._network)
        return self._outlets

    def _id(self, *parts: str) -> str:
        """The same when Mien is started anew: receivers then find the stream again."""
        text = "\n".join((platform.node(), self._name, *parts))
        return f"mien-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _rate(live: LiveScene) -> float:
    rate = None if live.info is None else live.info.frame_rate
    return 0.0 if rate is None else float(rate)


def _codes(about: Any, codes: dict[Any, int]) -> None:
    for name, code in codes.items():
        entry = about.append_child("code")
        entry.append_child_value("value", str(code))
        entry.append_child_value("meaning", str(name))
