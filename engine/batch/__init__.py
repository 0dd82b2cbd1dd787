"""Whole files, one after the other or many at once."""
