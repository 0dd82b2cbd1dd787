"""What is drawn over a frame, and what is made unrecognisable in it."""
