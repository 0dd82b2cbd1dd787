"""Pictures for programs that take a camera or a video stream."""
