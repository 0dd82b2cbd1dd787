"""The keys of a file of cameras, and typed values out of its tables, with messages that name the key."""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from mien.engine.errors import MienError, SettingsError
from mien.engine.language import tr
from mien.engine.outputs.secrets import secret_variable

COMMON: Final = (
    "model", "labels", "expect", "provider", "detector", "landmarker", "range", "min_score", "max_faces", "max_pixels",
    "record", "clean", "audio", "privacy", "crf", "encoder", "overlay", "font_scale", "columns", "face_layers",
    "camera_angle", "neutral_first", "transport", "tls_ca", "tls_insecure", "show_address",
)  # fmt: skip
"""For one camera, or, at the top of the file, for all that do not say otherwise."""
CAMERA: Final = ("name", "address", "address_env", "user", "user_env", "password_env", "login_file")
"""For one camera alone."""
OUTPUT_TABLE: Final = "outputs"


class Table:
    """One table of the file.

    Args:
        data: its keys and values.
        where: begins every message.
    """

    def __init__(self, data: Mapping[str, Any], where: str) -> None:
        self.data = data
        self.where = where

    def wrong(self, key: str, what: str) -> SettingsError:
        """The error for `key`; `what` is wrong with it goes on with the sentence."""
        return SettingsError(f"{self.where}{key}: {what}")

    @contextmanager
    def named(self, key: str = "") -> Iterator[None]:
        """Let errors of the block begin with the camera, and with `key` where they do not name it themselves."""
        try:
            yield
        except RuntimeError:  # `Path.expanduser`: there is no such user
            raise self.wrong(key, tr("names the home of a user who does not exist")) from None
        except MienError as error:
            text = str(error)
            if text.startswith(self.where):
                raise
            about = "" if not key or text.startswith(f"{key} ") else f"{key}: "
            raise SettingsError(f"{self.where}{about}{text}") from None

    def require_known(self, known: Collection[str], elsewhere: Collection[str] = ()) -> None:
        """Refuse keys that there are not.

        Args:
            known: those there are.
            elsewhere: those of single cameras, where this table is about all.

        Raises:
            SettingsError: it names the first of them, and what may be meant.
        """
        for key in self.data:
            if key in elsewhere:
                raise self.wrong(key, tr("is about one camera; write it under its [[camera]]"))
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                if near:
                    raise self.wrong(shown(key), tr("there is no such key; did you mean {near}?", near=near[0]))
                raise self.wrong(
                    shown(key), tr("there is no such key; choose from {known}", known=", ".join(sorted(known)))
                )

    def text(self, key: str, default: str) -> str:
        """A text of one line."""
        value = self.data.get(key, default)
        if not isinstance(value, str) or not value.isprintable():
            raise self.wrong(key, tr("must be a text of one line"))
        return value

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self.data.get(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, tr("must be true or false"))
        return value

    def number(self, key: str, default: float) -> float:
        """A number; its range is checked by who takes it."""
        value = self.data.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(key, tr("must be a number"))
        return value

    def whole(self, key: str, default: int) -> int:
        """A whole number."""
        value = self.data.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong(key, tr("must be a whole number"))
        return value

    def words(self, key: str, known: Collection[str]) -> frozenset[str]:
        """A list of known words."""
        value = self.data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
            raise self.wrong(key, tr("must be a list of texts"))
        for word in value:
            if word not in known:
                raise self.wrong(
                    key, tr("{word!r} is not known; choose from {known}", word=word, known=", ".join(known))
                )
        return frozenset(value)

    def path(self, key: str, folder: Path) -> Path | None:
        """A path, from `folder` where it is relative; ``~`` and ``$NAME`` of the environment are replaced."""
        if key not in self.data:
            return None
        text = self.text(key, "")
        if not text:
            raise self.wrong(key, tr("is empty; give a path, or leave it out"))
        with self.named(key):
            return folder / Path(os.path.expandvars(text)).expanduser()

    def table(self, key: str) -> Mapping[str, Any]:
        """A table in this one."""
        value = self.data.get(key, {})
        if not isinstance(value, dict):
            raise self.wrong(key, tr("must be a table, such as [camera.{key}]", key=key))
        return value

    def secret(self, key: str, variable_key: str) -> str | None:
        """The text of `key` ("": there is no such key), or of the variable of the environment that `variable_key`
        names; None: neither is there. It is quoted in no message.
        """
        if key and key in self.data:
            if variable_key in self.data:
                raise self.wrong(
                    key, tr("and {variable_key} say the same; leave out one of them", variable_key=variable_key)
                )
            return self.text(key, "")
        if variable_key not in self.data:
            return None
        variable = self.text(variable_key, "")
        value = secret_variable(variable) if variable and "=" not in variable else None
        if value is None:
            raise self.wrong(
                variable_key,
                tr("the environment has no {variable}", variable=variable or tr("variable without a name")),
            )
        return value


def shown(key: str) -> str:
    """A key that there is not, as a message may quote it."""
    return key if key.isprintable() and len(key) <= 40 else "a key"
