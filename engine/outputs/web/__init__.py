"""Scenes by WebSocket, and two pages that show them: a dashboard, and an overlay for OBS."""
