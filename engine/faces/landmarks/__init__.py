"""From a tracked face to its landmarks, and from those to pose, gaze, eyes and mouth."""
