import numpy as np

from napari_ubam.study.heading import find_heading

TIME = np.arange(200) / 25


def walk(speed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Walk along a bend with ``speed`` [body lengths a second], a body being 10 px: places and headings."""
    heading = 0.3 + np.linspace(0, 2.5 * np.pi, len(speed))
    step = 10 * speed[:, None] / 25 * np.stack([np.sin(heading), -np.cos(heading)], 1)
    return np.cumsum(step, axis=0), heading


def error(found: np.ndarray, heading: np.ndarray) -> np.ndarray:
    return np.abs((found - heading + np.pi) % (2 * np.pi) - np.pi)


def test_the_head_goes_first():
    places, heading = walk(np.ones(200))
    found = find_heading(TIME, places, heading % np.pi, np.full(200, 0.5), 10)
    assert error(found, heading).max() < 1e-6
    assert (np.abs(found) <= np.pi).all()


def test_some_steps_backwards_and_rests_do_not_turn_it_about():
    speed = np.ones(200)
    speed[50:70], speed[100:150] = -1, 0
    places, heading = walk(speed)
    assert error(find_heading(TIME, places, heading % np.pi, np.full(200, 0.5), 10), heading).max() < 1e-6


def test_a_body_that_was_round_may_have_turned():
    """It curls up, comes out the other way round, and the axis alone does not tell."""
    heading, speed = np.full(200, 0.3), np.ones(200)
    heading[100:] += np.pi
    step = 10 * speed[:, None] / 25 * np.stack([np.sin(heading), -np.cos(heading)], 1)
    elongation = np.full(200, 0.5)
    elongation[95:105] = 0.02
    found = find_heading(TIME, np.cumsum(step, axis=0), heading % np.pi, elongation, 10)
    assert error(found, heading).max() < 1e-6


def test_after_a_long_gap_it_may_head_anywhere():
    time = np.concatenate([TIME[:100], TIME[100:] + 5])
    heading = np.where(np.arange(200) < 100, 0.3, 0.3 + np.pi)
    step = 10 / 25 * np.stack([np.sin(heading), -np.cos(heading)], 1)
    found = find_heading(time, np.cumsum(step, axis=0), heading % np.pi, np.full(200, 0.5), 10)
    assert error(found, heading).max() < 1e-6


def test_one_frame_or_no_movement_gives_an_end_of_the_axis():
    assert find_heading(TIME[:1], np.zeros((1, 2)), np.array([1.0]), np.array([0.5]), 10) == 1.0
    found = find_heading(TIME, np.zeros((200, 2)), np.full(200, 1.0), np.full(200, 0.5), 10)
    assert len(np.unique(found)) == 1
