"""`python -m mien ...` does what the installed command `mien ...` does."""

import os
import signal


def main() -> None:
    """The command line. Until it is loaded there is nothing to save, so Ctrl-C ends it at once, in one line."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _leave)
    from mien.app.cli import main as run

    run()


def _leave(*_: object) -> None:
    os.write(2, b"mien: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    main()
