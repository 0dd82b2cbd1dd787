"""Training clips: their lists, their frames, their variations."""
