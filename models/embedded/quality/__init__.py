"""What is trained for `mien.engine.faces.quality`: whether a mouth is covered."""
