"""A live session: frames from a camera or a stream to the view and to a recording, side by side."""
