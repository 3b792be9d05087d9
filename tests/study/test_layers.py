import numpy as np
import pytest

from napari_ubam.errors import StudyError
from napari_ubam.study import save_layer
from napari_ubam.video import open_frames


def test_a_layer_is_copied_without_loss(tmp_path, frames):
    path = save_layer(tmp_path, "walk", frames, 30)
    assert path == tmp_path / "recordings" / "walk.mkv"
    with open_frames(path) as source:
        np.testing.assert_array_equal(source[:], frames)
        assert source.fps == pytest.approx(30)


def test_grey_and_transparent_layers(tmp_path, frames):
    with open_frames(save_layer(tmp_path, "grey", frames[..., 0], 30)) as source:
        np.testing.assert_array_equal(source[:], frames[..., :1].repeat(3, axis=3))
    rgba = np.concatenate([frames, frames[..., :1]], axis=3)
    with open_frames(save_layer(tmp_path, "rgba", rgba, 30)) as source:
        np.testing.assert_array_equal(source[:], frames)


def test_names_fit_files_and_nothing_is_overwritten(tmp_path, frames):
    first = save_layer(tmp_path, "a/b: walk [1]", frames, 30)
    second = save_layer(tmp_path, "a/b: walk [1]", frames[:2], 30)
    assert (first.name, second.name) == ("a_b_ walk [1].mkv", "a_b_ walk [1]_2.mkv")
    with open_frames(first) as source:
        assert len(source) == len(frames)


def test_layers_that_are_no_recording(tmp_path, frames):
    for data in (frames.astype(float), frames[0, :, :, 0], np.concatenate([frames, frames], axis=3)):
        with pytest.raises(StudyError, match=r"'walk'.*8-bit"):
            save_layer(tmp_path, "walk", data, 30)
    with pytest.raises(StudyError, match="'walk' is empty"):
        save_layer(tmp_path, "walk", frames[:0], 30)
    assert not (tmp_path / "recordings").exists()
