"""What sees that something lies before a face."""
