import numpy as np
import pytest
import torch

from napari_ubam.errors import DeviceError
from napari_ubam.models.encode import BATCH, encode_postures
from napari_ubam.models.encoder import ConvEncoder
from napari_ubam.models.inputs import N_CHANNELS, background_of, to_unit
from napari_ubam.models.landmarks import LandmarkEncoder
from napari_ubam.progress import Cancelled, Progress
from napari_ubam.study import Crops

CPU = torch.device("cpu")


def pictures(n: int, side: int = 32) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (n, side, side, 3), dtype=np.uint8)


def crops(frames: np.ndarray, background: np.ndarray | None) -> Crops:
    n = len(frames)
    return Crops(frames, np.arange(n), np.zeros((n, 3), np.float32), np.zeros(n, bool), background, 30.0, False)


class SmallDevice(LandmarkEncoder):
    """Runs out of memory above so many pictures at once."""

    most = 10

    def code(self, x: torch.Tensor) -> torch.Tensor:
        if len(x) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB.")
        return super().code(x)


@pytest.mark.parametrize("n", [1, 2, BATCH, BATCH + 3])
def test_one_code_a_frame_in_order(n: int) -> None:
    model = LandmarkEncoder(n_landmarks=4, c_in=N_CHANNELS).eval()
    frames = pictures(n)
    codes = encode_postures(model, frames, frames[0], CPU)
    assert codes.shape == (n, 8)
    assert codes.dtype == np.float32
    np.testing.assert_allclose(encode_postures(model, frames[-1:], frames[0], CPU), codes[-1:], atol=1e-5)


def test_less_memory_is_the_same_result_and_the_user_is_told() -> None:
    model = SmallDevice(n_landmarks=4, c_in=N_CHANNELS).eval()
    frames = pictures(70)
    told: list[Progress] = []
    codes = encode_postures(model, frames, frames[0], CPU, told.append)
    model.most = 1000
    np.testing.assert_allclose(codes, encode_postures(model, frames, frames[0], CPU), atol=1e-5)
    assert [p.message for p in told if p.message][-1] == "cpu ran out of memory; going on with batches of 8"
    assert told[-1].done == told[-1].total == 70


def test_no_memory_for_one_frame_is_an_error_that_says_what_to_do() -> None:
    model = SmallDevice(n_landmarks=4, c_in=N_CHANNELS)
    model.most = 0
    with pytest.raises(DeviceError, match=r"cpu has too little memory for postures.*smaller crop size"):
        encode_postures(model, pictures(5), pictures(1)[0], CPU)


def test_other_errors_of_torch_are_not_taken_for_a_lack_of_memory() -> None:
    model = ConvEncoder(dimension=4, c_in=3)  # wants three channels, gets six
    with pytest.raises(RuntimeError, match="channels"):
        encode_postures(model, pictures(5), pictures(1)[0], CPU)


def test_encoding_can_be_cancelled() -> None:
    def stop(progress: Progress) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        encode_postures(LandmarkEncoder(4, N_CHANNELS), pictures(3), pictures(1)[0], CPU, stop)


def test_the_background_is_resized_to_the_crops() -> None:
    background = background_of(crops(pictures(3), np.full((50, 50, 3), 90, np.uint8)))
    assert background.shape == (32, 32, 3)
    assert background.dtype == np.uint8
    assert (background == 90).all()


def test_without_a_background_it_is_the_median_colour() -> None:
    frames = np.full((4, 32, 32, 3), (10, 20, 30), np.uint8)
    frames[:, 8:12, 8:12] = 255
    background = background_of(crops(frames, None))
    assert background.shape == (32, 32, 3)
    assert (background == (10, 20, 30)).all()


def test_bytes_are_scaled_to_one() -> None:
    torch.testing.assert_close(to_unit(torch.tensor([0, 255], dtype=torch.uint8)), torch.tensor([-1.0, 1.0]))
