"""Tries cameras and the virtual camera with the modules of a real kernel: `python -m tests.fresh.devices` (as root).

A kernel module cannot be loaded everywhere, so a bare Debian 13 with its own kernel, v4l2loopback and vivid (a camera
that is made of software, and can be pulled out) is started in QEMU: emulated, or with `--accel kvm` where that works.
There Mien shows the demo in a virtual camera, which OpenCV, FFmpeg and a second Mien read; it records a camera that is
pulled out and plugged in again; and it is refused one (`devices_inside`). Prints a line for each; pictures, logs and
recordings are left in --pictures. Needs root, debootstrap, mkfs.ext4, debugfs and qemu-system-x86; about 25 minutes and
8 GB. `--root FOLDER`: such a root that was made before.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
_GIB = 5
_LIMIT_S = 3600
_PACKAGES = (
    "linux-image-amd64 linux-headers-amd64 v4l2loopback-dkms initramfs-tools kmod v4l-utils gcc make "
    "python3-venv libegl1 libgl1 libgles2 libglib2.0-0 libxcb1 libdbus-1-3 libfontconfig1 libx11-6 libxkbcommon0"
)
_INIT = """#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root PYTHONUNBUFFERED=1
mount -o remount,rw /
mountpoint -q /proc || mount -t proc proc /proc
mountpoint -q /sys || mount -t sysfs sys /sys
mountpoint -q /dev || mount -t devtmpfs dev /dev
mkdir -p /dev/shm && mount -t tmpfs shm /dev/shm
mount -t tmpfs run /run
cd /src/mien && .venv/bin/python -m tests.fresh.devices_inside /pictures 2>/pictures.log
sync
mount -o remount,ro /
echo o >/proc/sysrq-trigger
sleep 60
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, metavar="FOLDER", help="use this root, or make it there")
    parser.add_argument("--pictures", type=Path, required=True, metavar="FOLDER", help="what is left goes here")
    # Emulated: slow, but KVM inside of a virtual machine often cannot do all that a kernel asks of it.
    parser.add_argument("--accel", default="tcg,thread=multi", metavar="NAME", help="how QEMU runs it: tcg, kvm")
    options = parser.parse_args()
    if os.geteuid() != 0 or not shutil.which("qemu-system-x86_64"):
        sys.exit("needs root and qemu-system-x86")
    with tempfile.TemporaryDirectory(prefix="mien-devices-") as folder:
        root = options.root or Path(folder) / "root"
        if not (root / "boot").is_dir() or not any((root / "boot").glob("vmlinuz-*")):
            make(root)
        else:
            inside(root, "copy", "/src/mien")
        lines = start(root, Path(folder), options.accel)
        options.pictures.mkdir(parents=True, exist_ok=True)
        take_out(Path(folder) / "disk", options.pictures)
    print("\n".join(lines))
    return 0 if "all tried" in lines and not any("FAILED" in line for line in lines) else 1


def inside(root: Path, what: str, argument: str) -> None:
    subprocess.run([str(ROOT / ".ci" / "root"), what, str(root), argument], cwd=ROOT, check=True)


def make(root: Path) -> None:
    """A bare Debian 13 with a kernel and Mien."""
    subprocess.run([str(ROOT / ".ci" / "root"), "make", "trixie", str(root)], cwd=ROOT, check=True)
    inside(root, "run", f"apt-get update -qq && apt-get install -y -qq --no-install-recommends {_PACKAGES} >/dev/null")
    inside(root, "copy", "/src/mien")
    install = "python3 -m venv .venv && .venv/bin/pip install -q -c constraints.txt '.[virtualcam]'"
    # The demo fetches the detector, while there is a network.
    inside(root, "run", f"cd /src/mien && {install} && .venv/bin/mien annotate demo -o /tmp/demo.mp4")


def start(root: Path, folder: Path, accelerator: str) -> list[str]:
    """Start the machine, and wait for its end; what was said on its console."""
    (root / "init.sh").write_text(_INIT)
    (root / "init.sh").chmod(0o755)
    disk, console = folder / "disk", folder / "console"
    subprocess.run(["mkfs.ext4", "-q", "-F", "-d", str(root), str(disk), f"{_GIB}G"], check=True)
    kernel, first = (next((root / "boot").glob(f"{name}-*")) for name in ("vmlinuz", "initrd.img"))
    words = "root=/dev/vda rw console=ttyS0 quiet init=/init.sh"
    subprocess.run(
        ["qemu-system-x86_64", "-accel", accelerator, "-cpu", "max", "-smp", "2", "-m", "4096",
         "-kernel", str(kernel), "-initrd", str(first), "-append", words, "-drive", f"file={disk},if=virtio,format=raw",
         "-display", "none", "-monitor", "none", "-serial", f"file:{console}", "-no-reboot", "-nic", "none"],
        stdin=subprocess.DEVNULL, timeout=_LIMIT_S, check=True,
    )  # fmt: skip
    return console.read_text(errors="replace").splitlines()


def take_out(disk: Path, pictures: Path) -> None:
    """Copy what the trials have left, without mounting the disk."""
    for name in ("pictures", "pictures.log"):
        subprocess.run(["debugfs", "-R", f"rdump /{name} {pictures}", str(disk)], check=True, capture_output=True)


if __name__ == "__main__":
    sys.exit(main())
