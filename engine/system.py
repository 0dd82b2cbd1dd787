"""What the operating system and its libraries need to be told: output, telemetry, memory, missing libraries."""

from __future__ import annotations

import ctypes
import faulthandler
import ipaddress
import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from mien.engine.language import tr


def is_installed_program() -> bool:
    """Whether an installer brought this program, with a Python of its own inside and no pip."""
    return bool(getattr(sys, "frozen", False))


def detach_native_output() -> None:
    """Send what native code writes to standard error nowhere; Python's own goes on to where it went.

    MediaPipe and TensorFlow Lite log to file descriptor 2, at start and now and then while running, and have no
    switch for it. Errors are raised as Python exceptions and are not affected, nor are reports of crashes. Call once,
    first thing in a program. With MIEN_NATIVE_LOG=1 in the environment nothing is changed.
    """
    if os.environ.get("MIEN_NATIVE_LOG") == "1" or sys.stderr is None:
        return
    with suppress(OSError, ValueError):  # started without standard error, as windowed programs on Windows are
        sys.stderr.flush()
        own = os.fdopen(
            os.dup(2), "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace", closefd=True
        )
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.close(null)
        sys.stderr = own
        faulthandler.enable(own)


NO_SUCH_PROXY: Final = "none://127.0.0.1:9"
"""Set as the HTTPS proxy for native code only. libcurl knows no proxies of this kind and gives up before it looks up a
name or opens a socket; a library that took it for an ordinary proxy would meet a closed port on this machine."""

_SWITCHES: Final = {
    "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime, read once when it is loaded
    "RAY_USAGE_STATS_ENABLED": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
_SAVED: Final = "MIEN_SAVED_"  # + name: what the user has set, for child processes of our own
_UPLOAD_HOSTS: Final = ("googleapis.com", "google.com")


def silence_telemetry() -> None:
    """Keep libraries from reporting to their makers. Call it before they load; calling it again is fine.

    ONNX Runtime, Ray and the Hugging Face hub have switches for it. MediaPipe has none (see
    https://github.com/google-ai-edge/mediapipe/issues/6291), but libcurl, its uploader, honours ``https_proxy``: that
    becomes `NO_SUCH_PROXY`, in the environment of native code only. `os.environ` keeps what the user has set, so that
    our own download goes through the user's proxy; FFmpeg reads ``http_proxy``, which stays. Other programs must be
    started with ``env=user_environment()``: without it they inherit the native environment.
    """
    for name in [name for name in os.environ if name.startswith(_SAVED)]:  # started by a process that did this, too
        value = os.environ.pop(name)
        os.environ[name.removeprefix(_SAVED)] = value
    if os.environ.get("https_proxy") == NO_SUCH_PROXY:
        del os.environ["https_proxy"]
    os.environ.update(_SWITCHES)
    changes = {"https_proxy": NO_SUCH_PROXY}
    exempt = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    kept = [host for host in re.split(r"[,\s]+", exempt) if host and not _names_upload_host(host)]
    if exempt and kept != re.split(r"[,\s]+", exempt):
        # "*" and the like would lead past the proxy; an empty list would be taken for none.
        changes["no_proxy"] = ",".join(kept) or "localhost"
        if "*" in exempt:
            changes["http_proxy"] = ""  # FFmpeg's; the user wants none at all
    for name, value in changes.items():
        if os.environ.get(name) is not None:
            _set_natively(_SAVED + name, os.environ[name])
        _set_natively(name, value)


def user_environment() -> dict[str, str]:
    """The environment as the user has set it, for programs that are not ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_SAVED)}


def telemetry_silenced() -> bool:
    """Whether what `silence_telemetry` does is in force in this process."""
    switched = all(os.environ.get(name) == value for name, value in _SWITCHES.items())
    return switched and _get_natively("https_proxy") == NO_SUCH_PROXY


def _names_upload_host(entry: str) -> bool:
    entry = entry.strip(".").lower()
    return "*" in entry or entry == "com" or entry.endswith(_UPLOAD_HOSTS)


# Python's own functions would change `os.environ` as well, or not the block that libcurl reads on Windows.
if sys.platform == "win32":

    def _set_natively(name: str, value: str) -> None:
        ctypes.windll.kernel32.SetEnvironmentVariableW(name, value)

    def _get_natively(name: str) -> str | None:
        buffer = ctypes.create_unicode_buffer(32_767)  # the longest value that Windows allows
        return buffer.value if ctypes.windll.kernel32.GetEnvironmentVariableW(name, buffer, len(buffer)) else None

else:

    def _set_natively(name: str, value: str) -> None:
        if _get_natively(name) != value:  # other threads may be reading; a change that is none is not worth the risk
            ctypes.CDLL(None).setenv(os.fsencode(name), os.fsencode(value), 1)

    def _get_natively(name: str) -> str | None:
        getenv = ctypes.CDLL(None).getenv
        getenv.restype = ctypes.c_char_p
        value: bytes | None = getenv(os.fsencode(name))
        return None if value is None else os.fsdecode(value)


def outside_connections() -> set[str] | None:
    """``ADDRESS:PORT`` of everything outside this machine that this process has a socket to, and name servers.

    A name server may be on this machine and ask others, so it counts wherever it is. None: not to be known on this
    system, which has no /proc.
    """
    try:
        links = {link for entry in Path("/proc/self/fd").iterdir() if (link := _link(entry)).startswith("socket:[")}
        found: set[str] = set()
        for table in ("tcp", "tcp6", "udp", "udp6"):
            path = Path("/proc/self/net", table)
            for line in path.read_text(encoding="ascii").splitlines()[1:] if path.exists() else ():
                fields = line.split()
                host, port = _peer(fields[2])
                if f"socket:[{fields[9]}]" in links and port and (not host.is_loopback or port == _DNS_PORT):
                    found.add(f"{host}:{port}")
        return found
    except (OSError, ValueError, IndexError):
        return None


_DNS_PORT: Final = 53


def _link(entry: Path) -> str:
    try:
        return str(entry.readlink())
    except OSError:  # closed meanwhile
        return ""


def _peer(field: str) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]:
    """Address and port in the form of /proc/net: words of 32 bits, each in the byte order of the machine."""
    address, _, port = field.partition(":")
    words = [bytes.fromhex(address[at : at + 8]) for at in range(0, len(address), 8)]
    packed = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    host = ipaddress.ip_address(packed)
    mapped = host.ipv4_mapped if isinstance(host, ipaddress.IPv6Address) else None
    return mapped or host, int(port, 16)


def printable(text: str) -> str:
    """`text` with everything that is no letter, sign or space of its line shown as an escape.

    File names, labels and what servers say come from others: sent to a terminal as they are, they could clear it,
    rename it, add lines that look like Mien's, or turn the direction of what follows.
    """
    return "".join(c if c.isprintable() or c in _HARMLESS else c.encode("unicode_escape").decode() for c in text)


_HARMLESS: Final = "\u00a0\u202f\u3000\u200c\u200d"  # spaces and joiners that languages need

_M_ARENA_MAX: Final = -8  # of glibc's malloc.h


def share_one_arena() -> bool:
    """Let all threads that begin from now on take memory from the same place; True where that could be set.

    By default glibc gives each thread an arena of its own. Frames that one thread makes and another lets go leave
    holes in them: a live session grew by 11 MB a minute, and does not at all with one arena
    (tests/faults/long_run.py). Other C libraries have no arenas. Whoever sets MALLOC_ARENA_MAX has decided already.
    """
    if not sys.platform.startswith("linux") or "MALLOC_ARENA_MAX" in os.environ:
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_M_ARENA_MAX, 1))


def give_back_memory() -> bool:
    """Return memory that is free to the system; True where some was returned.

    glibc keeps what lies between pieces still in use: 360 MB that once waited to be recorded stayed with the process
    for good. Takes some 15 ms for each 100 MB, in which other threads may have to wait for memory: for rare moments.
    Other C libraries decide for themselves.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (OSError, AttributeError):
        return False


# By Debian's and Ubuntu's names; each was seen missing on a bare Debian 12.
_PACKAGES: Final = {
    "libxcb.so.1": "libxcb1",
    "libGL.so.1": "libgl1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libEGL.so.1": "libegl1",
    "libGLESv2.so.2": "libgles2",
}
_MISSING: Final = re.compile(r"(\S+\.so[.\d]*): cannot open shared object file")


def missing_library(error: BaseException) -> str | None:
    """One line for the user where `error` (ImportError, OSError) says that a shared library is missing; else None."""
    found = _MISSING.search(str(error))
    if found is None:
        return None
    name = found.group(1)
    package = _PACKAGES.get(name)
    if package is None:
        return tr("the system library {name} is missing; install the package that holds it", name=name)
    everything = " ".join(sorted(set(_PACKAGES.values())))
    return tr(
        "the system library {name} is missing; install it: sudo apt-get install {everything}",
        name=name,
        everything=everything,
    )
