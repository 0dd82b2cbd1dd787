"""The report as one web page that needs no other file and no network."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from html import escape
from typing import Final

import numpy as np
from PySide6.QtCore import QBuffer, QIODevice
from PySide6.QtGui import QImage

from mien.app.gui.look.expressions import called, expression
from mien.app.gui.look.palette import paper_palette, series_colour
from mien.app.gui.report.text import NOTE, clock, facts, percent, table_cells, table_heads, time_spent
from mien.engine.language import language, tr
from mien.engine.review.statistics import PersonStatistics
from mien.engine.review.video.report_content import ReportContent
from mien.engine.types import RgbImage

_STYLE: Final = """
body { font: 15px/1.45 system-ui, sans-serif; color: #161a22; max-width: 1190px; margin: 32px auto; padding: 0 24px; }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 17px; margin: 32px 0 8px; }
p.facts { color: #586172; margin: 0; } img.chart { width: 100%; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 4px 0 12px; }
th { text-align: right; color: #586172; font-weight: 600; border-bottom: 1px solid #dadee6; padding: 4px 12px; }
td { text-align: right; padding: 3px 12px; } th:first-child, td:first-child { text-align: left; padding-left: 0; }
.swatch { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 7px; }
.bar { display: flex; height: 26px; background: #eceef3; color: #fff; font-size: 12px; font-weight: 600; }
.bar span { display: grid; place-items: center; overflow: hidden; }
figure { display: inline-block; margin: 0 14px 10px 0; font-size: 12px; } figure img { width: 104px; display: block; }
figcaption span { color: #586172; } footer { border-top: 1px solid #dadee6; margin-top: 32px; color: #586172; }
@media print { body { margin: 0; } section { break-inside: avoid; } }
"""


def page_of(content: ReportContent, chart: QImage) -> str:
    """The whole page."""
    return "\n".join(_lines(content, chart)) + "\n"


def _lines(content: ReportContent, chart: QImage) -> Iterator[str]:
    title = escape(content.title)
    spoken = language().replace("_", "-")
    yield f'<!doctype html>\n<html lang="{spoken}">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>'
    yield f"<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>"
    yield from (f'<p class="facts">{escape(line)}</p>' for line in facts(content))
    yield f"<h2>{escape(tr('Expressions over time'))}</h2>"
    yield f'<img class="chart" alt="{escape(tr("Timeline of all people"))}" src="{_png(chart)}">'
    swatches = "&emsp;".join(
        _swatch(index) + escape(expression(name)) for index, name in enumerate(content.session.labels)
    )
    yield f"<p>{swatches}</p>"
    for person in content.people:
        yield from _person(content, person)
    yield f"<footer><p>{escape(tr(NOTE))}</p></footer>\n</body>\n</html>"


def _person(content: ReportContent, person: PersonStatistics) -> Iterator[str]:
    yield f"<section>\n<h2>{escape(called(person.name))}</h2>"
    yield f'<p class="facts">{escape(time_spent(person))}</p>'
    blocks = [
        f'<span style="flex-basis:{item.share * 100:.2f}%;background:{_colour(index)}">'
        f"{tr('{share:.0f} %', share=item.percent) if item.percent >= 4 else ''}</span>"
        for index, item in enumerate(person.labels)
        if item.share > 0
    ]
    yield f'<div class="bar">{"".join(blocks)}</div>'
    yield f"<table>\n<tr>{''.join(f'<th>{escape(head)}</th>' for head in table_heads())}</tr>"
    for index, item in enumerate(person.labels):
        cells = table_cells(person, item, peak="{value} · {time}")
        name = _swatch(index) + escape(expression(item.label))
        yield f"<tr><td>{name}</td>{''.join(f'<td>{escape(c)}</td>' for c in cells)}</tr>"
    yield "</table>"
    for item in person.labels:
        image = content.thumbnails.get((person.track_id, item.label))
        if item.highest is not None and image is not None:
            peak = item.highest
            text = (
                f"{escape(expression(item.label))} {percent(peak.probability, 0)}<br><span>{clock(peak.time_s)}</span>"
            )
            yield f'<figure><img alt="" src="{_png(to_qimage(image))}"><figcaption>{text}</figcaption></figure>'
    yield "</section>"


def _colour(index: int) -> str:
    return series_colour(index, paper_palette()).name()


def _swatch(index: int) -> str:
    return f'<span class="swatch" style="background:{_colour(index)}"></span>'


def _png(image: QImage) -> str:
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]
    return f"data:image/png;base64,{base64.b64encode(bytes(buffer.data().data())).decode()}"


def to_qimage(image: RgbImage) -> QImage:
    """A copy of (H,W,3) uint8 RGB."""
    data = np.ascontiguousarray(image)
    height, width = data.shape[:2]
    return QImage(data.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
