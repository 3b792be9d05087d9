import numpy as np
import pandas as pd
import pytest

from napari_ubam.analysis.speed import movement_speed, never_changing, speeds_by_group


def swing(fps: float, hertz: float = 1.0, noise: float = 0.0, seconds: float = 20) -> np.ndarray:
    t = np.arange(round(seconds * fps)) / fps
    movement = np.stack([np.sin(2 * np.pi * hertz * t), np.cos(2 * np.pi * hertz * t)], 1)
    return movement + np.random.default_rng(0).normal(0, noise, movement.shape)


def test_it_is_the_root_mean_square_of_the_change_a_second() -> None:
    assert movement_speed(swing(50, 0.5), 50) == pytest.approx(np.sqrt(0.5) * 2 * np.pi * 0.5, rel=0.03)


@pytest.mark.parametrize("fps", [25.0, 60.0, 120.0])
def test_frame_rate_and_noise_do_not_count_as_speed(fps: float) -> None:
    slow = movement_speed(swing(30), 30)
    assert movement_speed(swing(fps), fps) == pytest.approx(slow, rel=0.03)
    assert movement_speed(swing(fps, noise=0.05), fps) == pytest.approx(slow, rel=0.03)
    assert movement_speed(swing(fps, hertz=1.5), fps) > 1.3 * slow


def test_frames_that_do_not_show_the_subject_do_not_count() -> None:
    posture = np.concatenate([swing(30, seconds=4), np.tile(swing(30)[:1], (120, 1))])
    trusted = np.arange(240) < 120
    assert movement_speed(posture, 30, trusted) == pytest.approx(movement_speed(posture[:120], 30), rel=0.02)
    assert movement_speed(posture, 30) < 0.8 * movement_speed(posture, 30, trusted)
    assert movement_speed(posture, 30, np.zeros(240, bool)) == movement_speed(posture, 30)


def test_a_subject_that_stands_still_and_a_single_frame() -> None:
    assert movement_speed(np.ones((10, 4), np.float32), 30) == 0
    assert np.isnan(movement_speed(np.ones((1, 4)), 30))


def test_one_row_a_group_with_the_range_where_there_is_one() -> None:
    table = pd.DataFrame(
        {"group": ["b", "a", "a", "a"], "seconds": [2.0, 3.0, 4.0, 5.0], "fps": [25.0, 60.0, 60.0, 60.0],
         "speed": [np.nan, 0.1, 0.25, 0.4]}
    )  # fmt: skip
    assert speeds_by_group(table).to_dict("records") == [
        {"group": "a", "recordings": 3, "seconds": 12.0, "frames per second": "60",
         "speed of movement": "0.25 (0.1 to 0.4)"},
        {"group": "b", "recordings": 1, "seconds": 2.0, "frames per second": "25", "speed of movement": ""},
    ]  # fmt: skip


def test_who_never_moves_is_named() -> None:
    table = pd.DataFrame({"recording": ["a", "b", "c"], "speed": [0.0, 0.3, np.nan]})
    assert [text.split(".")[0] for text in never_changing(table)] == ["The posture never changes in a"]
    assert never_changing(table[1:]) == []
