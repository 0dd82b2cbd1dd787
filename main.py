"""Runs Mien from a checkout: `python main.py ...` does what the installed command `mien ...` does."""

from mien.__main__ import main

if __name__ == "__main__":
    main()
