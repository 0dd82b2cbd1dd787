"""Recordings, read back: their video, their numbers, and what can be made of them."""
