"""The file of cameras: what it may say, and one line about everything else."""

from __future__ import annotations

import os
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.app.commands.cameras.config import CamerasFile, read_cameras, read_file
from mien.app.commands.cameras.keys import CAMERA, COMMON
from mien.engine.errors import MienError, SettingsError
from mien.engine.outputs.kinds import OUTPUTS
from mien.engine.settings import BALANCED, Settings

ROOT = Path(__file__).parents[2]


def write(folder: Path, text: str, mode: int = 0o644) -> Path:
    file = folder / "cameras.toml"
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    return file


def read(folder: Path, text: str, mode: int = 0o644) -> CamerasFile:
    return read_file(write(folder, text, mode))


def test_one_line_is_enough(tmp_path: Path) -> None:
    (one,) = read(tmp_path, '[[camera]]\naddress = "demo"').cameras
    assert (one.address.name, one.address.kind) == ("demo", "demo")
    assert one.settings == Settings()
    assert one.settings.expect == BALANCED
    assert (one.plan, one.outputs, one.model, one.neutral_first_s) == (None, (), None, 0.0)


def test_the_example_of_the_page_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")
    example = page[page.index("```toml cameras\n") :].split("\n", 1)[1].split("```")[0]
    login = tmp_path / "door.login"
    login.write_text("viewer\nhorse staple\n")
    login.chmod(0o600)
    example = example.replace("/etc/mien/door.login", "door.login")
    monkeypatch.setenv("HALL_ADDRESS", "rtsp://me:secret@192.168.1.21/main?token=abc")
    found = read(tmp_path, example)
    door, hall, desk = found.cameras
    assert [one.address.name for one in found.cameras] == ["Door", "Hall", "Desk"]
    assert door.address.login is not None and door.address.login.password == "horse staple"
    assert hall.address.secret_url() == "rtsp://me:secret@192.168.1.21/main?token=abc"
    assert "HALL_ADDRESS" not in os.environ  # programs that are started from here need not know
    assert found.shared == (("json", "-"),)
    assert door.outputs == (("mqtt", "mqtts://broker.example/mien/Door"),)
    assert desk.outputs == (("mqtt", "mqtts://broker.example/mien/Desk"), ("osc", "127.0.0.1:9000,rate=20"))
    assert door.plan is not None and door.plan.folder == Path("/var/lib/mien/recordings")
    assert (door.plan.privacy, door.plan.columns, door.look.privacy) == ("blur", ("expressions", "valence"), "blur")
    assert hall.plan is None and hall.settings.expect.choice == "lab" and hall.settings.max_faces == 4
    assert desk.plan is not None and desk.plan.clean
    for one in found.cameras:
        assert "secret" not in repr(one) and "horse" not in repr(one)


def test_the_page_names_every_key_and_no_other() -> None:
    page = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")
    tables = page[page.index("| key | what") : page.index("Cameras that agree")]
    cells = [line.split("|")[1] for line in tables.splitlines() if line.startswith("| `")]
    import re

    named = {word for cell in cells for word in re.findall(r"`(\w+)`", cell)} - {"false"}
    assert named == {*COMMON, *CAMERA, "outputs"}


DEMO = '[[camera]]\naddress = "demo"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no camera; begin each with a line [[camera]]"),
        ("[camera]\n", "names no camera"),
        ("crf = [", "not valid TOML"),
        ("[[camera]]\n", "camera 1: address: is missing"),
        ('[[camera]]\naddress = ""\n', "camera 1: address: the source is empty"),
        ('[[camera]]\naddress = 7\n', "camera 1: address: must be a text of one line"),
        ('[[camera]]\nname = "Door"\naddress = "rtps://x/1"\n', 'camera "Door": address: addresses that begin with'),
        (DEMO + "adress = 1\n", "camera 1: adress: there is no such key; did you mean address?"),
        ("recrod = 'x'\n" + DEMO, "cameras.toml: recrod: there is no such key; did you mean record?"),
        ("name = 'x'\n" + DEMO, "cameras.toml: name: is about one camera; write it under its [[camera]]"),
        (DEMO + DEMO, 'camera 2: name: "demo" is another camera'),
        (DEMO + "name = 'A'\n" + DEMO + "name = 'a'\n", 'camera "a": name: "a" is another camera'),
        (DEMO + "crf = 99\n", "camera 1: crf is 99; choose a value from 0 to 51"),
        (DEMO + "crf = 1.5\n", "camera 1: crf: must be a whole number"),
        (DEMO + "crf = true\n", "camera 1: crf: must be a whole number"),
        (DEMO + "min_score = nan\n", "camera 1: min_score is nan"),
        (DEMO + "min_score = 'high'\n", "camera 1: min_score: must be a number"),
        (DEMO + "range = 'long'\n", "camera 1: range is 'long'; choose one of auto"),
        (DEMO + "privacy = 'hide'\n", "camera 1: privacy is 'hide'; choose one of none, blur, pixelate"),
        (DEMO + "overlay = 'big'\n", "camera 1: overlay is 'big'"),
        (DEMO + "provider = 'abacus'\n", "camera 1: provider is 'abacus'"),
        (DEMO + "columns = 'gaze'\n", "camera 1: columns: must be a list of texts"),
        (DEMO + "columns = ['mood']\n", "camera 1: columns: 'mood' is not known; choose from expressions"),
        (DEMO + "face_layers = ['hat']\n", "camera 1: face_layers: 'hat' is not known"),
        (DEMO + "camera_angle = 500\n", "camera 1: camera_angle is 500"),
        (DEMO + "neutral_first = 0.1\n", "camera 1: neutral_first is 0.1; choose a value from 0.5 to 60"),
        (DEMO + "expect = 'often'\n", "camera 1: expect"),
        (DEMO + "record = ''\n", "camera 1: record: is empty"),
        (DEMO + "record = true\n", "camera 1: record: must be a text of one line"),
        (DEMO + "record = '~nobody-of-that-name/x'\n", "camera 1: record: names the home of a user who does not"),
        (DEMO + "clean = 'yes'\n", "camera 1: clean: must be true or false"),
        (DEMO + "transport = 'pigeon'\n", "camera 1: transport is 'pigeon'"),
        (DEMO + "user = 'me'\n", "camera 1: address: user name and password belong to the address of a stream"),
        (DEMO + "password = 'x'\n", "camera 1: password: there is no such key; did you mean password_env?"),
        (DEMO + "login_file = 'none'\n", "camera 1: login_file: "),
        (DEMO + "login_file = 'none'\nuser = 'me'\n", "holds user name and password; leave out user"),
        (DEMO + "address_env = 'NONE'\n", "camera 1: address: and address_env say the same"),
        ("[[camera]]\naddress_env = 'MIEN_NONE'\n", "camera 1: address_env: the environment has no MIEN_NONE"),
        ("[[camera]]\naddress_env = ''\n", "camera 1: address_env: the environment has no variable without a name"),
        (DEMO + "outputs = 'json'\n", "camera 1: outputs: must be a table"),
        (DEMO + "[camera.outputs]\nfax = '1'\n", "camera 1: outputs.fax: there is no such output; choose from json"),
        (DEMO + "[camera.outputs]\njson = 1\n", "camera 1: outputs.json: must be a text or a list of texts"),
        (DEMO + "[camera.outputs]\njson = ['a', 'a']\n", 'camera 1: outputs.json: camera "demo" sends there already'),
        ("[outputs]\nosc = '9000'\n" + DEMO + DEMO + "name = 'B'\n", 'camera "B": outputs.osc: camera "demo" sends'),
        ("tls_insecure = 1\n" + DEMO, "camera 1: tls_insecure: must be true or false"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_that_names_the_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError) as told:
        read(tmp_path, text)
    assert message in str(told.value)
    assert str(told.value).startswith(str(tmp_path / "cameras.toml"))
    assert "\n" not in str(told.value)


def test_secrets_are_quoted_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_TEST_ADDRESS", "rtsp://me:hush@host/a@b:c")
    wrong = [
        '[[camera]]\naddress_env = "MIEN_TEST_ADDRESS"\n',
        '[[camera]]\naddress = "rtsp://me:hush@/x"\n',
        '[[camera]]\naddress = ["rtsp://me:hush@host"]\n',
        '[[camera]]\naddress = "rtsp://me:hush@host/x"\n',  # others may read this file
    ]
    for text in wrong:
        with pytest.raises(MienError) as told:
            read(tmp_path, text)
        assert "hush" not in str(told.value)


@pytest.mark.skipif(sys.platform == "win32", reason="files have no modes there")
def test_a_login_in_the_file_wants_a_file_of_ones_own(tmp_path: Path) -> None:
    text = '[[camera]]\naddress = "rtsp://me:hush@host/x"\n'
    with pytest.raises(SettingsError, match="address: holds a login that others can read; run chmod 600"):
        read(tmp_path, text)
    (one,) = read(tmp_path, text, 0o600).cameras
    assert one.address.login is not None and one.address.login.user == "me"
    login = tmp_path / "login"
    login.write_text("me\nhush\n")
    login.chmod(0o644)
    with pytest.raises(SettingsError, match=r"login_file: .*others may read this file; run chmod 600"):
        read(tmp_path, f'[[camera]]\naddress = "rtsp://host/x"\nlogin_file = "{login}"\n')


def test_logins_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_TEST_PASSWORD", "hush")
    camera = '[[camera]]\naddress = "rtsp://host/{0}"\nname = "{0}"\nuser = "me"\npassword_env = "MIEN_TEST_PASSWORD"\n'
    one, two = read(tmp_path, camera.format("a") + camera.format("b")).cameras
    for entry in (one, two):
        assert entry.address.login is not None
        assert (entry.address.login.user, entry.address.login.password) == ("me", "hush")


def test_paths_begin_in_the_folder_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_TEST_FOLDER", str(tmp_path / "own"))
    (one,) = read(
        tmp_path,
        'record = "out"\nmodel = "$MIEN_TEST_FOLDER/model"\nlabels = "/etc/l.toml"\n[[camera]]\naddress = "v.mp4"\n',
    ).cameras
    assert one.plan is not None and one.plan.folder == tmp_path / "out"
    assert (one.model, one.labels) == (tmp_path / "own" / "model", Path("/etc/l.toml"))
    assert one.address.target == str(tmp_path / "v.mp4")
    assert one.address.name == "v.mp4"


def test_own_frequencies_lie_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "clinic.toml").write_text("[frequencies]\nhappiness = 1\nsadness = 3\n")
    (one,) = read(tmp_path, DEMO + 'expect = "clinic.toml"\n').cameras
    assert one.settings.expect.frequencies == (("happiness", 1), ("sadness", 3))


def test_outputs_that_mean_something_alone_take_true(tmp_path: Path) -> None:
    (one,) = read(tmp_path, DEMO + "[camera.outputs]\nws = true\njson = ['a', 'b']\n").cameras
    assert one.outputs == (("ws", "8765"), ("json", "a"), ("json", "b"))
    with pytest.raises(SettingsError, match=r"outputs\.osc: must be a text or a list of texts"):
        read(tmp_path, DEMO + "[camera.outputs]\nosc = true\n")


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml: cannot be read \(No such file"):
        read_file(tmp_path / "none.toml")
    with pytest.raises(SettingsError, match="cannot be read"):
        read_file(tmp_path)
    (tmp_path / "image.toml").write_bytes(bytes(range(256)))
    with pytest.raises(SettingsError, match="not valid TOML"):
        read_file(tmp_path / "image.toml")
    (tmp_path / "deep.toml").write_text("a = " + "[" * 100_000)
    with pytest.raises(SettingsError, match="not valid TOML"):
        read_file(tmp_path / "deep.toml")


_scalars = st.one_of(
    st.none().map(lambda _: True), st.booleans(), st.integers(), st.floats(), st.text(max_size=12),
    st.sampled_from(["demo", "camera:0", "rtsp://h/x", "balanced", "lab", "auto", "blur", "~x/y", "a\0b", "../x"]),
)  # fmt: skip
_values = st.recursive(
    _scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=5,
)
_keys = st.one_of(st.sampled_from([*COMMON, *CAMERA, "outputs"]), st.text(max_size=8))
_output_tables = st.dictionaries(st.one_of(st.sampled_from(sorted(OUTPUTS)), st.text(max_size=4)), _values, max_size=3)
_cameras = st.dictionaries(_keys, _values, max_size=6).flatmap(
    lambda table: st.fixed_dictionaries({"address": st.just("demo")}, optional={"outputs": _output_tables}).map(
        lambda sure: {**table, **sure}
    )
)


@given(top=st.dictionaries(_keys, _values, max_size=3), cameras=st.one_of(_values, st.lists(_cameras, max_size=3)))
def test_whatever_it_says_it_is_read_or_refused_in_one_line(top: dict[str, Any], cameras: Any) -> None:
    try:
        found = read_cameras({**top, "camera": cameras}, Path("/nowhere/cameras.toml"), private=False)
    except SettingsError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert len(found.cameras) == len(cameras)
        assert len({one.address.name.casefold() for one in found.cameras}) == len(found.cameras)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return
    with pytest.raises(SettingsError):  # so short a random text names no camera
        read_cameras(data, Path("cameras.toml"), private=True)
