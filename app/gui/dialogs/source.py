"""Where frames come from: cameras, network streams, files, the demo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QSize, Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QLineEdit,
    QListWidget,
    QStackedWidget,
    QWidget,
)

from mien.app.gui.look.widgets import Choice, button, column, entry, form, label, row
from mien.app.gui.tasks import Task
from mien.engine.errors import SourceError
from mien.engine.sources.address import SourceAddress

if TYPE_CHECKING:
    from mien.engine.sources.camera import Camera

_PAGES = ("camera", "stream", "screen", "file", "demo")


class SourceDialog(QDialog):
    """Lets the user choose a source; `address` holds it after the dialog was accepted."""

    def __init__(self, parent: QWidget, page: str = "camera", edit: SourceAddress | str | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Choose a source"))
        self.resize(640, 420)
        self.address: SourceAddress | None = None
        self._kinds = QListWidget()
        self._kinds.setProperty("flat", True)
        self._kinds.setFixedWidth(170)
        self._kinds.setIconSize(QSize(20, 20))
        self._kinds.setAccessibleName(self.tr("Kind of source"))
        self._pages = QStackedWidget()
        for name, text, made in (
            ("camera", self.tr("Camera"), self._camera_page()),
            ("network", self.tr("Network stream"), self._stream_page()),
            ("screen", self.tr("Screen"), self._screen_page()),
            ("file", self.tr("File or folder"), self._file_page()),
            ("demo", self.tr("Demo"), self._demo_page()),
        ):
            entry(self._kinds, name, text)
            self._pages.addWidget(made)
        self._kinds.currentRowChanged.connect(self._show_page)
        self._problem = label("", "danger", wrap=True)
        self._problem.hide()
        self._ok = button(self.tr("Show"), kind="primary")
        self._ok.setDefault(True)
        self._ok.clicked.connect(self._accept)
        cancel = button(self.tr("Cancel"))
        cancel.clicked.connect(self.reject)
        body = row(self._kinds, column(self._pages, self._problem, row(0, cancel, self._ok), spacing=12), spacing=20)
        body.setContentsMargins(12, 16, 20, 16)
        self.setLayout(body)
        self._kinds.setCurrentRow(_PAGES.index(page if page in _PAGES else "camera"))
        self.refresh_cameras()
        if edit is not None:
            self._edit(edit)

    def _show_page(self, index: int) -> None:
        self._pages.setCurrentIndex(index)
        self._problem.hide()
        self._ok.setText(self.tr("Show"))

    def _edit(self, wrong: SourceAddress | str) -> None:
        """Put what did not work into its fields again; a password is to be typed anew."""
        page = _PAGES[self._pages.currentIndex()]
        if page == "stream":
            typed = wrong if isinstance(wrong, str) else wrong.as_typed()
            self.place.setText(typed)
            if isinstance(wrong, SourceAddress):
                self.user.setText(wrong.login.user if wrong.login is not None else "")
                self.transport.setCurrentIndex(max(0, self.transport.findData(wrong.transport)))
                self.unchecked.setChecked(not wrong.verify_tls)
            self.place.setFocus()
            self.place.selectAll()
        elif page == "file":
            self._path.setText(wrong if isinstance(wrong, str) else wrong.text)
            self._path.setFocus()
        elif page == "screen":
            self.region.setText((wrong if isinstance(wrong, str) else wrong.text).partition(":")[2])

    def _screen_page(self) -> QWidget:
        self.region = QLineEdit()
        self.region.setPlaceholderText(self.tr("the whole screen"))
        self.region.setAccessibleName(self.tr("Region: X,Y,WIDTHxHEIGHT in pixels"))
        pick = button(self.tr("Choose with the mouse…"), "screen")
        pick.clicked.connect(self._pick_region)
        page = QWidget()
        page.setLayout(
            column(
                label(self.tr("Screen"), "heading"),
                label(
                    self.tr("Films a part of the screen: a call or a player whose picture comes by no other way."),
                    "muted", wrap=True,
                ),
                4,
                form((self.tr("Region"), self.region)),
                row(pick, 0),
                label(
                    self.tr("X,Y,WIDTHxHEIGHT in pixels, such as 100,80,1280x720. Needs X11 or Windows."),
                    "small", wrap=True,
                ),
                label(_consent(), "small", wrap=True),
                0,
            )
        )  # fmt: skip
        return page

    def _pick_region(self) -> None:
        from mien.app.gui.dialogs.region import RegionPicker

        picker = RegionPicker(self)
        picker.picked.connect(self.region.setText)
        picker.start()

    def _camera_page(self) -> QWidget:
        self._cameras = QListWidget()
        self._cameras.setAccessibleName(self.tr("Cameras"))
        self._cameras.itemDoubleClicked.connect(self._accept)
        again = button(self.tr("Refresh"), kind="quiet")
        again.clicked.connect(self.refresh_cameras)
        self._camera_note = label(self.tr("Looking for cameras…"), "muted", wrap=True)
        self._camera_layout = column(
            row(label(self.tr("Camera"), "heading"), 0, again),
            self._camera_note,
            self._cameras,
            label(_consent(), "small", wrap=True),
        )
        page = QWidget()
        page.setLayout(self._camera_layout)
        return page

    def _stream_page(self) -> QWidget:
        self.place, self.user, self.password = QLineEdit(), QLineEdit(), QLineEdit()
        self.place.setPlaceholderText("rtsp://192.168.1.20/stream1")
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        self.transport = Choice()
        self.transport.addItem(self.tr("TCP (reliable)"), "tcp")
        self.transport.addItem(self.tr("UDP (for cameras without TCP)"), "udp")
        self.unchecked = QCheckBox(self.tr("Do not check it: anybody may be at the other end (rtsps, rtmps, https)"))
        fields = form(
            (self.tr("Address"), self.place),
            (self.tr("User"), self.user),
            (self.tr("Password"), self.password),
            (self.tr("Transport"), self.transport),
            (self.tr("Certificate"), self.unchecked),
        )
        page = QWidget()
        page.setLayout(
            column(
                label(self.tr("Network stream"), "heading"),
                label(self.tr("RTSP, RTMP, or HTTP (HLS, MJPEG)."), "muted"),
                4,
                fields,
                label(
                    self.tr("User and password are for this connection only; they are not stored."),
                    "small",
                    wrap=True,
                ),
                label(_consent(), "small", wrap=True),
                0,
            )
        )
        return page

    def _file_page(self) -> QWidget:
        self._path = QLineEdit()
        self._path.setPlaceholderText(self.tr("Path of a video, a picture, or a folder"))
        self._path.setAccessibleName(self.tr("Path"))
        browse = button(self.tr("File…"), "file")
        browse.clicked.connect(self._browse_file)
        folder = button(self.tr("Folder…"), "folder")
        folder.clicked.connect(self._browse_folder)
        page = QWidget()
        page.setLayout(
            column(
                label(self.tr("File or folder"), "heading"),
                label(
                    self.tr(
                        "Videos and pictures are played; a folder of pictures, one after the other. All videos in a "
                        "folder are annotated."
                    ),
                    "muted", wrap=True,
                ),
                4,
                self._path,
                row(browse, folder, 0),
                0,
            )
        )  # fmt: skip
        return page

    def _demo_page(self) -> QWidget:
        page = QWidget()
        page.setLayout(
            column(
                label(self.tr("Demo"), "heading"),
                label(
                    self.tr(
                        "A portrait of Grace Hopper that moves and changes its expression. Needs no camera; good for a "
                        "first look."
                    ),
                    "muted",
                    wrap=True,
                ),
                0,
            )
        )
        return page

    def refresh_cameras(self) -> None:
        """Ask the system again which cameras there are."""

        def ask() -> tuple[Camera, ...]:
            from mien.engine.sources.camera import list_cameras

            return list_cameras()

        Task(self, ask, self._show_cameras, self._camera_note.setText)

    def _show_cameras(self, cameras: tuple[Camera, ...]) -> None:
        self._cameras.clear()
        for camera in cameras:
            entry(self._cameras, "camera", camera.name, camera.text)
        self._cameras.setCurrentRow(0)
        self._cameras.setVisible(bool(cameras))
        self._camera_note.setVisible(not cameras)
        self._camera_note.setText(
            self.tr("No camera was found. Connect one and refresh; on Linux your user must be in the group “video”.")
        )
        self._camera_layout.setAlignment(Qt.AlignmentFlag.AlignTop if not cameras else Qt.AlignmentFlag(0))

    def _browse_file(self) -> None:
        from mien.app.gui.look.file_dialogs import ask_video

        path = ask_video(self)
        if path:
            self._path.setText(path)

    def _browse_folder(self) -> None:
        from mien.app.gui.look.file_dialogs import ask_folder

        path = ask_folder(self, self.tr("Folder with videos"))
        if path:
            self._path.setText(path)

    def _accept(self) -> None:
        try:
            self.address = self._chosen()
        except SourceError as error:
            self._problem.setText(_sentence(str(error)))
            self._problem.show()
            return
        self.accept()

    def _chosen(self) -> SourceAddress:
        kind = _PAGES[self._pages.currentIndex()]
        if kind == "camera":
            item = self._cameras.currentItem()
            if item is None:
                raise SourceError(self.tr("no camera is selected"))
            return SourceAddress.parse(item.data(Qt.ItemDataRole.UserRole))
        if kind == "stream":
            user, password = self.user.text() or None, self.password.text() or None
            address = SourceAddress.parse(
                self.place.text(),
                user=user,
                password=password,
                transport=self.transport.currentData(),
                verify_tls=not self.unchecked.isChecked(),
            )
            if address.kind != "stream":
                raise SourceError(
                    self.tr("this is not the address of a stream; it must begin with rtsp://, rtmp:// or http://")
                )
            return address
        if kind == "screen":
            from mien.engine.sources.screen import Region

            region = Region.parse(self.region.text())
            return SourceAddress.parse("screen" if region is None else f"screen:{region}")
        return SourceAddress.parse(self._path.text() if kind == "file" else "demo")


def _consent() -> str:
    return QCoreApplication.translate("SourceDialog", "Film only people who know about it and agree.")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
