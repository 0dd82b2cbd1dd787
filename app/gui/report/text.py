"""What reports say in words."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Final

from PySide6.QtCore import QCoreApplication

from mien.engine.review.spans import clock_ms
from mien.engine.review.statistics import LabelStatistics, PersonStatistics
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


def time_spent(person: PersonStatistics) -> str:
    """How long somebody was seen, and how sure the model was meanwhile."""
    return tr(
        "seen {seen:.1f} s of {whole:.1f} s; sure {sure:.1f} s, uncertain {uncertain:.1f} s, warming up {warming:.1f} s"
    ).format(
        seen=person.seen_s, whole=person.seconds, sure=person.sure_s, uncertain=person.uncertain_s,
        warming=person.warming_s,
    )  # fmt: skip


def table_heads() -> list[str]:
    """Of the table of a person: the expression, then what `table_cells` gives."""
    return [
        *(tr("Expression"), tr("Share"), tr("Mean"), tr("Shown"), tr("Episodes"), tr("Mean length"), tr("Peaks")),
        tr("Highest peak"),
    ]


def table_cells(person: PersonStatistics, item: LabelStatistics, *, peak: str) -> list[str]:
    """What is said of one expression of a person; `peak` has places for the `value` and the `time` of the highest."""
    highest = item.highest
    return [
        f"{item.percent} %" if person.sure_s > 0 else "–",
        percent(item.mean),
        f"{item.seconds:.1f} s",
        str(item.episodes),
        f"{item.mean_length_s:.2f} s" if item.episodes else "–",
        str(len(item.peaks)),
        "–" if highest is None else peak.format(value=percent(highest.probability), time=clock(highest.time_s)),
    ]
