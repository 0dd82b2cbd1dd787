"""Video and audio as FFmpeg has them: containers, codecs, colours, sizes."""
