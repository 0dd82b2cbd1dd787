# How much of the time did each person show which expression?  python shares.py talk.mp4  (needs pandas)
import sys

import pandas as pd

import mien

with mien.read(sys.argv[1]) as scenes:
    rows = [(face.id, scene.time_s, face.label) for scene in scenes for face in scene.faces if face.status == "ok"]
table = pd.DataFrame(rows, columns=["person", "time_s", "expression"])
shares = table.groupby("person")["expression"].value_counts(normalize=True).unstack(fill_value=0)
print(shares.round(3).to_string())
