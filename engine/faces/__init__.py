"""From a frame to faces: found, followed, cut out, judged and read."""
