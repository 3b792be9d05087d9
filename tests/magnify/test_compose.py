import numpy as np
import pytest

from napari_ubam.magnify.compose import (
    ARROW_COLOUR,
    BLOCKS,
    BRIGHTEST,
    compare_panels,
    compose,
    hide_faces,
    overlay_heatmap,
    side_by_side,
)
from napari_ubam.magnify.magnifier import MagnifiedFrame


def test_what_reference_subjects_show_does_not_glow():
    frame = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    dark = overlay_heatmap(frame, np.zeros((6, 8)))
    assert (dark <= frame).all()
    np.testing.assert_array_equal(overlay_heatmap(frame, np.ones((6, 8))), dark)


def test_the_heatmap_glows_where_it_deviates_and_no_brighter_than_white():
    frame = np.full((1, 4, 3), 200, np.uint8)
    glowing = overlay_heatmap(frame, np.array([[1.0, 2.0, BRIGHTEST, 1e6]])).astype(int).sum(-1)[0]
    assert glowing[0] < glowing[1] < glowing[2] == glowing[3]


def test_a_half_precision_heatmap_will_do():
    frame = np.zeros((2, 2, 3), np.uint8)
    heat = np.full((2, 2), 3, np.float16)
    np.testing.assert_array_equal(overlay_heatmap(frame, heat), overlay_heatmap(frame, heat.astype(np.float32)))


@pytest.mark.parametrize("shape", [(64, 64), (61, 47), (300, 533)])
def test_panels_stand_beside_each_other_with_even_sides(shape):
    pictures = [np.full((*shape, 3), grey, np.uint8) for grey in (50, 150, 250)]
    composed = side_by_side(pictures, ["recording", "deviation × 2.5", "where"], height=120)
    assert composed.dtype == np.uint8
    assert composed.shape[0] % 2 == 0
    assert composed.shape[1] % 2 == 0
    row = composed[composed.shape[0] * 2 // 3, :, 0].astype(int)
    assert [g for g in dict.fromkeys(row.tolist()) if g > 30] == [50, 150, 250]


def test_captions_are_drawn_over_the_pictures():
    picture = np.zeros((64, 64, 3), np.uint8)
    with_text = side_by_side([picture], ["λ × 2.5"], height=200)
    without = side_by_side([picture], [""], height=200)
    differs = (with_text != without).any(axis=(1, 2))
    assert differs.any()
    assert not differs[len(differs) // 4 :].any()


def test_a_caption_must_go_with_each_picture():
    with pytest.raises(ValueError, match="argument 2"):
        side_by_side([np.zeros((8, 8, 3), np.uint8)], ["one", "two"])


def test_the_panels_are_the_recording_the_magnified_one_and_the_heatmap():
    original, magnified = np.full((36, 36, 3), 40, np.uint8), np.full((36, 36, 3), 90, np.uint8)
    picture = compare_panels(original, magnified, np.full((36, 36), 9.0), "i1", 2.5)
    at = picture[picture.shape[0] // 2, [picture.shape[1] * i // 6 for i in (1, 3, 5)]]
    assert at[0].tolist() == [40] * 3
    assert at[1].tolist() == [90] * 3
    assert at[2].sum() > at[0].sum()


def test_faces_are_hidden_and_the_posture_stays():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (90, 160, 3), dtype=np.uint8)
    picture[20:80, 60:70] = 255  # a leg
    picture[20:80, 80:90] = 0  # another
    hidden = hide_faces(picture, side=80)
    assert hidden.shape == picture.shape
    assert (hidden[30:70, 62:68] > 200).all()
    assert (hidden[30:70, 82:88] < 55).all()
    inside = hidden.reshape(45, 2, 80, 2, 3)
    assert (inside == inside[:, :1, :, :1]).all()  # nothing is left within a block
    assert 80 / BLOCKS == 2


@pytest.mark.parametrize(("shape", "side"), [((3, 3), 500), ((5, 7), 0), ((40, 30), 33.3)])
def test_faces_are_hidden_in_pictures_and_regions_of_any_size(shape, side):
    assert hide_faces(np.zeros((*shape, 3), np.uint8), side).shape == (*shape, 3)


@pytest.mark.parametrize("show", ["magnified", "side-by-side", "heatmap"])
def test_a_magnified_frame_is_shown_as_asked_with_arrows_on_request(show):
    filmed, image = np.full((300, 300, 3), 40, np.uint8), np.full((300, 300, 3), 90, np.uint8)
    found = MagnifiedFrame(7, filmed, image, np.zeros((300, 300), np.float32), np.array([[[150, 100], [0, 80]]]))
    plain, pointed = (compose(found, show, "i1", 2.5, arrows=arrows) for arrows in (False, True))
    dark = overlay_heatmap(filmed, found.heatmap)[0, 0, 0]
    wanted = {"magnified": [90], "heatmap": [dark], "side-by-side": [40, 90, dark]}[show]
    middle = plain[plain.shape[0] // 2]
    at = [len(middle) * (2 * i + 1) // (2 * len(wanted)) for i in range(len(wanted))]
    assert middle[at, 0].tolist() == wanted
    changed = (plain != pointed).any(-1)
    assert changed.any()
    assert {tuple(c) for c in pointed[changed]} & {ARROW_COLOUR}
    assert changed[:, : 2 * changed.shape[1] // 3].any() == (show != "side-by-side")  # there, on the heatmap alone
