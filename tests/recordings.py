"""The data of recordings, made by hand."""

from __future__ import annotations

import json
from pathlib import Path

HEAD = (
    "pts_s,frame,track_id,x,y,width,height,score,status,quality,window_steps,prediction_s,label,top_label,"
    "p_glad,p_sad,note\n"
)


def row(time_s: float, track: int | str, status: str = "ok", label: str = "glad", glad: str = "0.9") -> str:
    sad = "" if glad == "" else f"{1 - float(glad):.5f}"
    return f"{time_s:.6f},0,{track},1.0,2.0,30.0,40.0,0.9,{status},good,16,{time_s:.6f},{label},{label},{glad},{sad},\n"


def session_of(folder: Path, text: str, **document: object) -> Path:
    path = folder / "take.csv"
    path.write_text(HEAD + text, encoding="utf-8")
    (folder / "take.json").write_text(json.dumps({"recording": {"start_s": 10.0}, **document}), encoding="utf-8")
    return path
