"""The panel beside the frame: the people, the selected one's prediction, the last minute."""
