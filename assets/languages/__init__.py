"""Catalogues of texts, by language: .po, which people edit, and .mo, which the program reads."""
