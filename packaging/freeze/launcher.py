"""Where the frozen program begins: `mien` as pip installs it, with its Python and its libraries beside it.

What stands before the command line is only what a frozen program needs: worker processes, an environment in which the
programs of others start, and fonts where a machine has none. It takes the place of PyInstaller's own hooks, which load
more than `mien --version` does by itself.
"""

import os
import sys


def _as_the_user_set_it(name: str) -> None:
    """PyInstaller's loader changed `name` to find its libraries; the linker has read it by now.

    Left as it is, it would make the browser and the file manager that Mien opens load libraries of Mien.
    """
    before = os.environ.pop(name + "_ORIG", None)
    if before is not None:
        os.environ[name] = before
    else:
        os.environ.pop(name, None)


def _fonts(folder: str) -> None:
    """A bare machine has no settings for fonts, and no font: then those that came along are used."""
    if sys.platform.startswith("linux") and not os.path.exists("/etc/fonts/fonts.conf"):  # noqa: PTH110
        os.environ.setdefault("FONTCONFIG_FILE", os.path.join(folder, "fonts", "fonts.conf"))  # noqa: PTH118


def _work_for_another_process() -> None:
    """`multiprocessing` starts this program for a worker, and for the tracker of what workers share; else return."""
    if len(sys.argv) > 1 and sys.argv[1] == "--multiprocessing-fork":
        from multiprocessing import spawn

        spawn.freeze_support()  # ends with the worker
    if "-c" in sys.argv and sys.argv[-1].startswith("from multiprocessing.resource_tracker import main"):
        from multiprocessing import resource_tracker

        # main(NUMBER) of a file descriptor
        resource_tracker.main(int(sys.argv[-1].rpartition("(")[2].rstrip(")")))
        sys.exit()


if __name__ == "__main__":
    _as_the_user_set_it("LD_LIBRARY_PATH")
    # Worker processes are started anew: else the loader takes for granted that they inherit what was just undone.
    os.environ["PYINSTALLER_RESET_ENVIRONMENT"] = "1"
    _fonts(getattr(sys, "_MEIPASS", ""))
    _work_for_another_process()
    globals().pop("__file__", None)  # a worker would look for this file, which is not there, to run it
    from mien.__main__ import main

    main()
