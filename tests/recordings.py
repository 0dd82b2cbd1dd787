"""The data of recordings, made by hand."""

from __future__ import annotations

import json
from pathlib import Path

START_S = 10.0
HEAD = (
    "time_s,session_s,frame,track_id,x,y,width,height,score,status,quality,window_steps,prediction_s,label,"
    "p_glad,p_sad,raw_glad,raw_sad,note\n"
)


def row(time_s: float, track: int | str, status: str = "ok", label: str = "glad", glad: str = "0.9") -> str:
    sad = "" if glad == "" else f"{1 - float(glad):.5f}"
    at = f"{time_s - START_S:.6f}"
    shares = f"{glad},{sad},{glad},{sad}"
    return f"{at},{time_s:.6f},0,{track},1.0,2.0,30.0,40.0,0.9,{status},good,16,{at},{label},{shares},\n"


def note_row(time_s: float, kind: str, text: str) -> str:
    """A marker or a gap."""
    return f"{time_s - START_S:.6f},{time_s:.6f}{',' * 8}{kind}{',' * 9}{text}\n"


OLD_HEADS = {
    number: f"pts_s,frame,track_id,x,y,width,height,score,status,quality,{names},label,top_label,p_glad,p_sad,note\n"
    for number, names in ((1, "steps,read_s"), (2, "window_steps,prediction_s"))
}


def old_row(time_s: float, glad: float, label: str = "glad", top: str = "glad") -> str:
    """As formats 1 and 2 had it: one time, raw probabilities, two labels."""
    at = f"{time_s:.6f}"
    return f"{at},0,1,1.0,2.0,30.0,40.0,0.9,ok,good,16,{at},{label},{top},{glad:.5f},{1 - glad:.5f},\n"


def session_of(folder: Path, text: str, **document: object) -> Path:
    path = folder / "take.csv"
    path.write_text(HEAD + text, encoding="utf-8")
    (folder / "take.json").write_text(json.dumps({"recording": {"start_s": START_S}, **document}), encoding="utf-8")
    return path
