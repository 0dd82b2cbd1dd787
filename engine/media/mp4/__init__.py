"""MP4 files: writing them, their index and chapters, and the encoders that go into them."""
