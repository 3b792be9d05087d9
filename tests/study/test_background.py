import numpy as np
import pytest

from napari_ubam.study.background import is_still, median_picture


def texture(height, width, seed=0, grain=3):
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(height // grain + 1, width // grain + 1, 1)).repeat(grain, 0).repeat(grain, 1)
    return 120 + 20 * noise[:height, :width]


def with_subject(pictures, noise=3.0, seed=1):
    """Add camera noise, and a bright subject in the middle that moves its limb."""
    rng = np.random.default_rng(seed)
    pictures = np.repeat(pictures, 3, axis=3) if pictures.shape[3] == 1 else pictures.copy()
    for t, picture in enumerate(pictures):
        picture[30:70, 40:56] = 220
        picture[40:46, 56 : 60 + int(12 * (1 + np.sin(t)))] = 220
    return np.clip(pictures + rng.normal(0, noise, pictures.shape), 0, 255).astype(np.uint8)


def test_median_is_what_is_there_most_of_the_time():
    rng = np.random.default_rng(0)
    samples = rng.integers(0, 256, (9, 20, 11, 3), dtype=np.uint8)
    np.testing.assert_array_equal(median_picture(samples, rows=7), np.median(samples, axis=0))
    np.testing.assert_array_equal(median_picture(samples[:1]), samples[0])
    np.testing.assert_array_equal(median_picture(samples[:8]), np.sort(samples[:8], axis=0)[4])


@pytest.mark.parametrize("noise", [0, 3, 8])
def test_a_fixed_camera_is_still(noise):
    still = np.repeat(texture(96, 96)[None], 32, axis=0)
    assert is_still(with_subject(still, noise))


def test_plain_ground_and_changing_light_are_still():
    plain = np.full((32, 96, 96, 1), 90.0)
    assert is_still(with_subject(plain))
    assert is_still(with_subject(plain + np.linspace(0, 40, 32)[:, None, None, None]))


@pytest.mark.parametrize("grain", [3, 12])
@pytest.mark.parametrize("speed", [3, 7])
def test_ground_that_slides_below_the_subject_is_not(grain, speed):
    wide = texture(96, 96 + 32 * speed, grain=grain)
    sliding = np.stack([wide[:, t * speed : t * speed + 96] for t in range(32)])
    assert not is_still(with_subject(sliding))


def test_ground_below_a_subject_that_rests_most_of_the_time_is_not():
    wide = texture(96, 96 + 12 * 5)
    at = [0] * 20 + [5 * t for t in range(12)]
    assert not is_still(with_subject(np.stack([wide[:, x : x + 96] for x in at])))


def test_a_knock_at_a_fixed_camera_is_forgiven():
    wide = texture(96, 120)
    assert is_still(with_subject(np.stack([wide[:, x : x + 96] for x in [0] * 30 + [9, 20]])))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "still"),
    [
        ("bridge.mp4", True),
        ("mirror_mouse.mp4", True),
        ("mouse_arena.mp4", True),
        ("flies/clip_female.mp4", False),
        ("flies/clip_male.mp4", False),
        ("flies/demo_female.mp4", False),
        ("flies/demo_male.mp4", False),
    ],
)
def test_real_recordings(shared, name, still):
    from napari_ubam.video import open_frames

    with open_frames(shared / "data" / name) as source:
        n = len(source)
        samples = [frame for t, frame in enumerate(source.iterate()) if t % (n // 64) == 0]
    assert is_still(np.stack(samples)) == still
