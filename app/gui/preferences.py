"""What is remembered between two runs. Addresses are kept without their logins."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Literal, get_args

import platformdirs

from mien.engine.disk import write_whole
from mien.engine.errors import SettingsError, SourceError
from mien.engine.language import LANGUAGES
from mien.engine.measures import COLUMN_GROUPS, FACE_LAYERS, ColumnGroup, FaceLayer
from mien.engine.settings import (
    BALANCED,
    DETECTOR_RANGES,
    EXPECTED,
    OVERLAY_LOOKS,
    PROVIDERS,
    DetectorRange,
    Expectation,
    OverlayLook,
    OverlayStyle,
    Provider,
    Settings,
)
from mien.engine.sources.address import SourceAddress

FILE: Final = "preferences.json"
RECENT: Final = 8
"""How many sources are remembered."""

_Privacy = Literal["none", "blur", "pixelate"]
_Scope = Literal["all", "unselected"]
_ALLOWED: Final[dict[str, tuple[str, ...]]] = {
    "provider": PROVIDERS,
    "screen_privacy": get_args(_Privacy),
    "record_privacy": get_args(_Privacy),
    "record_privacy_scope": get_args(_Scope),
    "detector_range": DETECTOR_RANGES,
    "overlay_look": OVERLAY_LOOKS,
    "language": ("", *LANGUAGES),
}


def folder() -> Path:
    """Where preferences are kept: $MIEN_CONFIG, or the system's usual place."""
    override = os.environ.get("MIEN_CONFIG")
    return Path(override) if override else Path(platformdirs.user_config_dir("mien", appauthor=False))


def _videos() -> str:
    return str(Path(platformdirs.user_videos_dir()) / "Mien")


def _images() -> str:
    return str(Path(platformdirs.user_pictures_dir()) / "Mien")


@dataclass(slots=True)
class Preferences:
    """The user's choices; every field has a default; unknown entries of the file are skipped.

    Attributes:
        theme: one of `mien.app.gui.look.theme.CHOICES`.
        language: one of `mien.engine.language.LANGUAGES`; "": as the system.
        geometry: the window's, as Qt writes it, in hexadecimal.
        side_panel, overlay, mirrored: what is shown; mirrored None: as the source suggests.
        overlay_look, overlay_font: as in `mien.engine.settings.OverlayStyle`.
        screen_privacy: "none", "blur" or "pixelate" in the live view.
        source: the last source's address without its login; recent: those before.
        model: folder of the bundle, "" for the one that ships with Mien; models: other bundles used.
        provider: execution provider of the model.
        expect: how often each expression is to be expected: a choice of `engine.settings.EXPECTED`, or a TOML file.
        labels_file: file of the zero-shot labels in use, "" for none.
        record_*: the options of recording.
        detector_range, min_score, max_faces, occlusion_s: as in `mien.engine.settings.Settings`.
        measure_faces: measure pose, gaze and the like; face_layers: what of it is drawn; face_columns: what is written.
        chart_valence: valence is among the curves of the chart.
        microphone: what is heard with a camera, as `mien.engine.sources.microphone` calls it; "" for nothing.
        chart_without: the expressions that the chart leaves out.
        snapshot_folder: where snapshots go.
        jobs_folder: where annotated files go, "" for next to the source.
        outputs: live outputs, each as "on KIND TARGET" or "off KIND TARGET", without secrets.
        lsl_markers: markers that other programs send over Lab Streaming Layer are set here, too.
        welcomed: the first-run note was read.
    """

    theme: str = "system"
    language: str = ""
    geometry: str = ""
    side_panel: bool = True
    overlay: bool = True
    overlay_look: OverlayLook = "compact"
    overlay_font: float = 1.0
    mirrored: bool | None = None
    screen_privacy: _Privacy = "none"
    source: str = "demo"
    recent: list[str] = field(default_factory=list)
    model: str = ""
    models: list[str] = field(default_factory=list)
    provider: Provider = "auto"
    expect: str = "balanced"
    labels_file: str = ""
    record_folder: str = field(default_factory=_videos)
    record_name: str = "mien {time}"
    record_annotated: bool = True
    record_clean: bool = False
    record_audio: bool = True
    record_privacy: _Privacy = "none"
    record_privacy_scope: _Scope = "all"
    record_pre_roll_s: float = 0.0
    record_crf: int = 20
    detector_range: DetectorRange = "auto"
    min_score: float = 0.5
    max_faces: int = 16
    occlusion_s: float = 1.0
    measure_faces: bool = False
    face_layers: list[str] = field(default_factory=lambda: ["contours", "axes", "gaze"])
    face_columns: list[str] = field(default_factory=lambda: ["valence", "pose", "gaze", "eyes", "mouth", "blendshapes"])
    chart_valence: bool = False
    microphone: str = ""
    chart_without: list[str] = field(default_factory=list)
    snapshot_folder: str = field(default_factory=_images)
    jobs_folder: str = ""
    outputs: list[str] = field(default_factory=list)
    lsl_markers: bool = False
    welcomed: bool = False

    def remember_source(self, text: str) -> None:
        """Note the source `text` (without its login) as the newest."""
        self.source = text
        if text != "demo":
            self.recent = [text, *(item for item in self.recent if item != text)][:RECENT]

    def remember_model(self, path: str) -> None:
        """Note the bundle in folder `path`."""
        self.model = path
        if path:
            self.models = [path, *(item for item in self.models if item != path)][:RECENT]

    def settings(self) -> Settings:
        """What the engine should be set to."""
        try:
            return Settings(
                provider=self.provider, expect=self.expectation(), detector_range=self.detector_range,
                min_score=self.min_score, max_faces=self.max_faces, occlusion_s=self.occlusion_s,
                layers=self.layers, columns=self.columns,
            )  # fmt: skip
        except SettingsError:  # a file that somebody edited
            return Settings(provider=self.provider, expect=self.expectation())

    def keep(self, **changes: Any) -> None:
        """Change fields and write them at once: nothing is lost where the program ends by force."""
        if any(getattr(self, name) != value for name, value in changes.items()):
            for name, value in changes.items():
                setattr(self, name, value)
            self.save()

    def style(self, *, high_contrast: bool = False) -> OverlayStyle:
        """How the overlay is drawn, on screen and in recordings."""
        font = min(max(self.overlay_font, 0.5), 3.0)
        return OverlayStyle(self.overlay_look, font, high_contrast, self.layers)

    @property
    def layers(self) -> tuple[FaceLayer, ...]:
        """What is drawn on faces."""
        return tuple(layer for layer in FACE_LAYERS if self.measure_faces and layer in self.face_layers)

    @property
    def columns(self) -> tuple[ColumnGroup, ...]:
        """What is written of faces; with faces measured always their pose, so that the engine measures them."""
        chosen = {"expressions", *(("pose", *self.face_columns) if self.measure_faces else ())}
        return tuple(group for group in COLUMN_GROUPS if group in chosen)

    def expectation(self) -> Expectation:
        """How often each expression is to be expected; "balanced" where the user's file is gone or damaged."""
        try:
            if self.expect in EXPECTED:
                return Expectation(self.expect)
            # Imported here: it brings NumPy, which nobody waits for when the window opens.
            from mien.engine.inference.priors import read_expectation

            return read_expectation(self.expect)
        except SettingsError:
            return BALANCED

    def save(self) -> None:
        """Write the file; where that is impossible, nothing is remembered and nobody is disturbed."""
        try:
            folder().mkdir(parents=True, exist_ok=True)
            write_whole(folder() / FILE, json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n")
        except OSError:
            pass


def load() -> Preferences:
    """What was remembered; the defaults where the file is missing, damaged or from another version."""
    try:
        data = json.loads((folder() / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Preferences()
    defaults = Preferences()
    found = Preferences(**_fitting(data, defaults)) if isinstance(data, dict) else defaults
    # Earlier versions kept paths of streams, in which there may be a key.
    found.source, found.recent = _safe(found.source), [_safe(text) for text in found.recent]
    return found


def _safe(text: str) -> str:
    """A source as it may be kept."""
    try:
        return SourceAddress.parse(text).text
    except SourceError:
        return text


def _fitting(data: dict[str, Any], defaults: Preferences) -> dict[str, Any]:
    """The entries of `data` that are fields, of their field's type, and one of its values where only some are known."""
    found = {}
    for item in fields(Preferences):
        if item.name not in data:
            continue
        value, default = data[item.name], getattr(defaults, item.name)
        if item.name == "mirrored":
            fits = value is None or isinstance(value, bool)
        elif isinstance(default, bool) or isinstance(value, bool):
            fits = isinstance(default, bool) and isinstance(value, bool)
        elif isinstance(default, list):
            fits = isinstance(value, list) and all(isinstance(entry, str) for entry in value)
        elif isinstance(default, float):
            fits = isinstance(value, int | float)
        else:
            fits = isinstance(value, type(default)) and value in _ALLOWED.get(item.name, (value,))
        if fits:
            found[item.name] = value
    return found
