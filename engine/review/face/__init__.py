"""What was measured of faces, read back: blinks, stretches, valence."""
