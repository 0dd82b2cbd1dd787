"""What reports say in words."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Final

from PySide6.QtCore import QCoreApplication

from mien.engine.review.spans import clock_ms
from mien.engine.review.video.report_content import ReportContent

NOTE: Final = (
    "Mien estimates which expression a face shows, not what a person feels; it is often wrong. "
    "Do not base decisions about people on this page."
)


def tr(text: str) -> str:
    return QCoreApplication.translate("Report", text)


def percent(value: float, digits: int = 1) -> str:
    """12.3 %; a dash where nothing was measured."""
    return "–" if math.isnan(value) else f"{value * 100:.{digits}f} %"


def clock(time_s: float) -> str:
    """1:05.25"""
    return clock_ms(time_s)[:-1]


def facts(content: ReportContent) -> list[str]:
    """Date, source, model, and what the report is about: a line each."""
    session, about = content.session, content.session.about
    count = len(session.tracks)
    part = tr("{length} in all").format(length=clock_ms(session.duration_s))
    if not content.whole:
        span = content.span
        part = tr("part from {start} to {end} of {length}").format(
            start=clock_ms(span.start_s), end=clock_ms(span.end_s), length=clock_ms(session.duration_s)
        )
    what = [part, tr("1 person") if count == 1 else tr("{count} people").format(count=count)]
    if session.markers:
        what.append(
            tr("1 marker") if len(session.markers) == 1 else tr("{count} markers").format(count=len(session.markers))
        )
    if content.excluded_s > 0.0005:
        what.append(tr("{seconds:.3f} s excluded").format(seconds=content.excluded_s))
    lines = [tr("Recorded {date} · source {source}").format(date=_date(about.started), source=content.source)]
    if about.model:
        lines.append(tr("Model {model}").format(model=about.model))
    return [*lines, " · ".join(what)]


def _date(text: str) -> str:
    """When it was recorded, in the time of this machine."""
    try:
        return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M %Z")
    except ValueError:
        return tr("at an unknown date")
