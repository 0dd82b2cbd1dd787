"""The engine: frames in, scenes out. No Qt and no torch in this room."""
