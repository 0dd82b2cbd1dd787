"""Small trainable parts beside the frozen weights of an image side."""
