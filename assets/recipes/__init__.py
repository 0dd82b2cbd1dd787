"""Ready training configurations."""
