"""The picture of a recording, drawn anew from its data, and written as MP4."""
