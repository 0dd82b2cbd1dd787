"""What reports say in words."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Final

from PySide6.QtCore import QDateTime, QLocale

from mien.engine.language import SOURCE, language, tr, tr_later, trn
from mien.engine.review.spans import clock_ms
from mien.engine.review.statistics import LabelStatistics, PersonStatistics
from mien.engine.review.video.report_content import ReportContent

NOTE: Final = tr_later(
    "Mien estimates which expression a face shows, not what a person feels; it is often wrong. "
    "Do not base decisions about people on this page."
)


def percent(value: float, digits: int = 1) -> str:
    """12.3 %; a dash where nothing was measured."""
    if math.isnan(value):
        return "–"
    return tr("{share:.1f} %", share=value * 100) if digits else tr("{share:.0f} %", share=value * 100)


def clock(time_s: float) -> str:
    """1:05.25"""
    return clock_ms(time_s)[:-1]


def facts(content: ReportContent) -> list[str]:
    """Date, source, model, and what the report is about: a line each."""
    session, about = content.session, content.session.about
    count = len(session.tracks)
    part = tr("{length} in all", length=clock_ms(session.duration_s))
    if not content.whole:
        span = content.span
        part = tr(
            "part from {start} to {end} of {length}",
            start=clock_ms(span.start_s), end=clock_ms(span.end_s), length=clock_ms(session.duration_s),
        )  # fmt: skip
    what = [part, trn("{count} person", "{count} people", count)]
    if session.markers:
        what.append(trn("{count} marker", "{count} markers", len(session.markers)))
    if content.excluded_s > 0.0005:
        what.append(tr("{seconds:.3f} s excluded", seconds=content.excluded_s))
    lines = [tr("Recorded {date} · source {source}", date=_date(about.started), source=content.source)]
    if about.model:
        lines.append(tr("Model {model}", model=about.model))
    return [*lines, " · ".join(what)]


def _date(text: str) -> str:
    """When it was recorded, in the time of this machine and as its user writes dates."""
    try:
        then = datetime.fromisoformat(text).astimezone()
    except ValueError:
        return tr("at an unknown date")
    if language() == SOURCE:
        return f"{then:%Y-%m-%d %H:%M %Z}"  # in English, 11/12 is two days
    locale, moment = QLocale(), QDateTime.fromSecsSinceEpoch(int(then.timestamp()))
    days = locale.dateFormat(QLocale.FormatType.ShortFormat)
    date = locale.toString(moment.date(), days if "yyyy" in days else days.replace("yy", "yyyy"))
    return f"{date} {locale.toString(moment.time(), QLocale.FormatType.ShortFormat)} {then:%Z}"


def time_spent(person: PersonStatistics) -> str:
    """How long somebody was seen, and how sure the model was meanwhile."""
    return tr(
        "seen {seen:.1f} s of {whole:.1f} s; sure {sure:.1f} s, uncertain {uncertain:.1f} s, warming up {warming:.1f} "
        "s",
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
        tr("{share:.0f} %", share=item.percent) if person.sure_s > 0 else "–",
        percent(item.mean),
        tr("{seconds:.1f} s", seconds=item.seconds),
        str(item.episodes),
        tr("{seconds:.2f} s", seconds=item.mean_length_s) if item.episodes else "–",
        str(len(item.peaks)),
        "–" if highest is None else peak.format(value=percent(highest.probability), time=clock(highest.time_s)),
    ]
