"""`python -m mien ...` does what the installed command `mien ...` does.

Until the command line is loaded there is nothing to save: Ctrl-C ends the program at once, in one line. To hear it as
early as can be, this file loads only what is built into Python, as `_signal` is and `signal` is not.
"""

import _signal
import os


def _leave(*_: object) -> None:
    os.write(2, b"mien: interrupted\n")
    os._exit(130)


def main() -> None:
    """Run the command line and leave with its exit code."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(_signal, name, None)
        if number is not None and _signal.getsignal(number) != _signal.SIG_IGN:
            _signal.signal(number, _leave)
    from mien.app.cli import main as run

    run()


if __name__ == "__main__":
    main()
