"""Certificates as servers have them, made by openssl: one authority, and what can be wrong."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

_HERE = "subjectAltName=IP:127.0.0.1,DNS:localhost"
_CONFIGURATION = """
[ca]
default_ca = c
[c]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = p
[p]
commonName = supplied
"""


@dataclass(frozen=True)
class Certificates:
    """Files with a certificate and its key each, in PEM format.

    Attributes:
        authority: to be trusted; without a key.
        good: for 127.0.0.1 and localhost; elsewhere: for another host; expired; not_yet: valid; all by the authority.
        self_signed: for 127.0.0.1 and localhost, by itself.
    """

    authority: Path
    good: Path
    elsewhere: Path
    expired: Path
    not_yet: Path
    self_signed: Path


def make_certificates(folder: Path) -> Certificates:
    """Make all of them in `folder`, which takes a second."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on this machine")
    folder.mkdir(exist_ok=True)

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    days, ca = ("-days", "30"), ("-cert", "ca.pem", "-keyfile", "ca.key")
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    # From Python 3.13 on, an authority must say what it is for, and a certificate whose key has signed it.
    openssl(
        "req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.pem", *days, "-subj", "/CN=Test authority",
        "-addext", "keyUsage=critical,keyCertSign,cRLSign",
    )  # fmt: skip
    (folder / "ca.cnf").write_text(_CONFIGURATION)
    (folder / "index").touch()
    (folder / "serial").write_text("01\n")

    def signed(name: str, names: str, begin: str, end: str) -> Path:
        openssl("req", *new_key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / f"{name}.ext").write_text(f"{names}\nauthorityKeyIdentifier=keyid,issuer\n")
        openssl(
            "ca", "-batch", "-notext", "-config", "ca.cnf", "-in", f"{name}.csr", *ca,
            "-startdate", f"{begin}0101000000Z", "-enddate", f"{end}0101000000Z", "-extfile", f"{name}.ext",
            "-out", f"{name}.crt",
        )  # fmt: skip
        return together(name)

    def together(name: str) -> Path:
        both = folder / f"{name}.both.pem"
        both.write_text((folder / f"{name}.crt").read_text() + (folder / f"{name}.key").read_text())
        return both

    openssl(
        "req", "-x509", *new_key, "-keyout", "self.key", "-out", "self.crt", *days, "-subj", "/CN=localhost",
        "-addext", _HERE,
    )  # fmt: skip
    return Certificates(
        authority=folder / "ca.pem",
        good=signed("good", _HERE, "2020", "2099"),
        elsewhere=signed("elsewhere", "subjectAltName=DNS:other.example", "2020", "2099"),
        expired=signed("expired", _HERE, "2020", "2021"),
        not_yet=signed("notyet", _HERE, "2098", "2099"),
        self_signed=together("self"),
    )
