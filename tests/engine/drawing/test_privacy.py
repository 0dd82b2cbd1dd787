"""Faces are covered for good, also before they are found and after they are lost, and nobody else is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mien.engine.drawing.privacy import Anonymiser, conceal, grown
from mien.engine.types import Box, Detection, Face, Frame, Scene

FACE = Box(40, 40, 40, 40)


def a_scene(index: int, *faces: Face) -> Scene:
    """Noise at 25 frames a second, the same in every frame."""
    image = np.random.default_rng(2).integers(0, 255, (120, 160, 3), np.uint8)
    return Scene(Frame(index, index, 1, index / 25, image), faces, {})


def a_face(track_id: int = 1, box: Box = FACE, *, observed: bool = True) -> Face:
    detection = Detection(box, np.zeros((6, 2), np.float32), 0.9) if observed else None
    return Face(track_id, box, detection)


def covered(scene: Scene, box: Box = FACE) -> bool:
    """Whether nothing is left of what was in `box`; True or False for all of it, nothing in between."""
    area = slice(round(box.y), round(box.bottom)), slice(round(box.x), round(box.right))
    same = (scene.frame.image[area] == a_scene(0).frame.image[area]).all(axis=-1)
    assert same.mean() < 0.05 or same.all()
    return not same.all()


def through(anonymiser: Anonymiser, *scenes: Scene, selected: frozenset[int] = frozenset()) -> list[Scene]:
    done = [written(*pair) for pushed in scenes for pair in anonymiser.push(pushed, selected)]
    return [*done, *(written(*pair) for pair in anonymiser.flush())]


def written(scene: Scene, image: np.ndarray) -> Scene:
    """The scene with what is to be written of it."""
    return scene if image is scene.frame.image else replace(scene, frame=replace(scene.frame, image=image))


@pytest.mark.parametrize("way", ["blur", "pixelate"])
def test_no_more_than_a_few_patches_of_a_face_are_kept(way) -> None:
    random = np.random.default_rng(1)
    one = random.integers(0, 255, (120, 120, 3), np.uint8)
    other = one.copy()
    other[::2] = one[1::2]  # another frame with the same patches, nearly
    other[1::2] = one[::2]
    for image in (one, other):
        conceal(image, [Box(20, 20, 80, 80), Box(-500, 0, 10, 10), Box(110, 110, 40, 40)], way)
    assert (one[:20, :100] != 0).any()
    face_of_one, face_of_other = one[20:100, 20:100].astype(int), other[20:100, 20:100].astype(int)
    assert abs(face_of_one - face_of_other).max() <= 40
    assert len(np.unique(face_of_one[40], axis=0)) <= (6 if way == "pixelate" else 80)


@pytest.mark.parametrize("way", ["blur", "pixelate"])
def test_a_face_is_covered_with_a_margin_and_the_rest_is_not(way) -> None:
    (scene,) = through(Anonymiser(way, "all"), a_scene(0, a_face()))
    assert covered(scene)
    assert covered(scene, Box(50, 22, 20, 18))  # the hair
    assert covered(scene, Box(50, 80, 20, 7))  # the chin
    assert covered(scene, Box(31, 45, 58, 16))  # the ears
    assert not covered(scene, Box(102, 0, 58, 120))


def test_a_blur_is_an_ellipse_that_fades() -> None:
    image = np.tile(np.array([[0, 255], [255, 0]], np.uint8), (100, 100))[..., np.newaxis].repeat(3, axis=2)
    plain = image.copy()
    conceal(image, [Box(60, 70, 80, 80)], "blur")
    kept = np.abs(image.astype(int) - 127.5).mean(axis=2) / 127.5  # how much is left of the squares, 0 to 1
    assert kept[97 : 97 + 20, 80:120].max() < 0.05 and kept[70, 60] < 0.05 and kept[149, 139] < 0.05
    row = kept[97, 100:]
    edge = np.flatnonzero((row > 0.1) & (row < 0.9))
    assert len(edge) >= 5 and (np.diff(row[edge[0] : edge[-1]]) > -0.02).all()
    assert (image[:10] == plain[:10]).all() and (image[24, 24] == plain[24, 24]).all()


@pytest.mark.parametrize("way", ["blur", "pixelate"])
def test_heads_at_the_edge_of_the_frame_are_covered(way) -> None:
    for box in (Box(-20, -20, 60, 60), Box(140, 100, 60, 60), Box(50, -50, 60, 60), Box(0, 0, 400, 400)):
        image = a_scene(0).frame.image.copy()
        conceal(image, [box], way)
        x0, y0 = max(0, round(box.x)), max(0, round(box.y))
        inside = np.s_[y0 : round(box.bottom), x0 : round(box.right)]
        assert (image[inside] == a_scene(0).frame.image[inside]).all(axis=-1).mean() < 0.05


def test_the_frame_on_the_screen_is_left_alone() -> None:
    shown = a_scene(0, a_face())
    (written,) = through(Anonymiser("pixelate", "all"), shown)
    assert written.frame.image is not shown.frame.image
    assert not covered(shown)


def test_without_privacy_every_scene_comes_at_once_and_as_it_is() -> None:
    scenes = [a_scene(index, a_face()) for index in range(3)]
    anonymiser = Anonymiser("none", "all")
    for scene in scenes:
        ((passed, image),) = anonymiser.push(scene, frozenset())
        assert passed is scene and image is scene.frame.image
    assert list(anonymiser.flush()) == []


def test_a_face_is_covered_in_the_frames_before_it_was_found() -> None:
    """The tracker needs up to three; those of a fifth of a second are held."""
    done = through(Anonymiser("blur", "all"), *(a_scene(i) for i in range(10)), a_scene(10, a_face()))
    assert [scene.frame.index for scene in done] == list(range(11))
    hidden = [covered(scene) for scene in done]
    assert not any(hidden[:4])
    assert hidden[6:] == [True] * 5


def test_a_face_is_covered_for_a_second_after_it_was_lost() -> None:
    done = through(Anonymiser("blur", "all"), a_scene(0, a_face()), *(a_scene(i) for i in range(1, 40)))
    hidden = [covered(scene) for scene in done]
    assert hidden[:26] == [True] * 26
    assert not any(hidden[27:])


def test_a_guessed_place_is_covered_as_well_as_the_last_seen_one() -> None:
    moved = Box(100, 40, 40, 40)
    done = through(Anonymiser("blur", "all"), a_scene(0, a_face()), a_scene(1, a_face(box=moved, observed=False)))
    assert covered(done[1], moved)
    assert covered(done[1], FACE)


def test_only_selected_people_are_spared_and_strangers_are_not() -> None:
    other = Box(110, 40, 30, 30)
    scene = a_scene(0, a_face(1), a_face(2, other))
    (done,) = through(Anonymiser("blur", "unselected"), scene, selected=frozenset({2}))
    assert covered(done) and not covered(done, other)
    (done,) = through(Anonymiser("blur", "unselected"), scene)
    assert covered(done) and covered(done, other)


@pytest.mark.parametrize("scope", ["all", "unselected"])
def test_who_is_found_but_not_followed_is_covered_too(scope) -> None:
    """As the seventeenth face where sixteen are followed."""
    scene = replace(a_scene(0, a_face(1, Box(110, 40, 30, 30))), others=(FACE,))
    (done,) = through(Anonymiser("blur", scope), scene, selected=frozenset({1}))
    assert covered(done)


def test_no_scene_is_lost_or_out_of_order_and_few_are_held() -> None:
    anonymiser = Anonymiser("pixelate", "all")
    given: list[int] = []
    for index in range(100):
        given += [scene.frame.index for scene, _ in anonymiser.push(a_scene(index, a_face()), frozenset())]
        assert index + 1 - len(given) <= 8
    given += [scene.frame.index for scene, _ in anonymiser.flush()]
    assert given == list(range(100))


def test_a_grown_box_keeps_its_centre() -> None:
    assert grown(Box(10, 20, 40, 20)) == Box(0, 15, 60, 30)
