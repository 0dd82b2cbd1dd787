"""What can go wrong for a user. Every message is one line: what is wrong, and what to do next."""

from __future__ import annotations

from mien.engine.language import tr


class MienError(Exception):
    """Root of all errors whose message is written for the user; the command line prints it and exits with 2."""


class SettingsError(MienError):
    """A setting is out of range or contradicts another."""


class SourceError(MienError):
    """A source cannot be opened or read."""


class ModelError(MienError):
    """A detector file or a model bundle is missing, damaged or not usable."""


class RecordingError(MienError):
    """The recording cannot be created or written."""


class OutputError(MienError):
    """A live output cannot reach its target now."""


class ReviewError(MienError):
    """A recorded session is damaged or cannot be exported."""


def explained(error: BaseException, what: str) -> str:
    """One line about `error` for people: its own words if it is written for them, else `what` went wrong and how."""
    if isinstance(error, MienError):
        return str(error)
    return tr(
        "{what} ({error}: {details})",
        what=what, error=type(error).__name__, details=" ".join(str(error).split())[:200],
    )  # fmt: skip


def one_line(error: Exception) -> str:
    """What an error of a library says, in one line and short enough to be told."""
    return " ".join(str(error).split())[:200] or type(error).__name__
