"""The readers that `video.py` measures: each gives frames by their number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import av
import numpy as np


class Bound:
    """The least work there is: seek to the keyframe before, and decode with PyAV; the times are known beforehand."""

    def __init__(self, path: str) -> None:
        self.path = path
        with av.open(path) as container:
            self.times = [frame.pts for frame in container.decode(video=0) if frame.pts is not None]
        self.container = av.open(path)
        self.stream = self.container.streams.video[0]
        self.stream.thread_type = "AUTO"

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, t: int) -> np.ndarray:
        self.container.seek(self.times[t], stream=self.stream)
        for frame in self.container.decode(self.stream):
            if frame.pts == self.times[t]:
                return frame.to_ndarray(format="rgb24")
        raise IndexError(t)

    def __iter__(self) -> Iterator[np.ndarray]:
        with av.open(self.path) as container:
            container.streams.video[0].thread_type = "AUTO"
            for frame in container.decode(video=0):
                yield frame.to_ndarray(format="rgb24")


def open_ours(path: str) -> Any:
    """Open with this package."""
    from napari_ubam.video import LazyVideo

    return LazyVideo(path)


def open_napari_pyav(path: str) -> Any:
    """Open with napari-pyav, as it reads for napari."""
    from napari_pyav._reader import FastVideoReader

    reader = FastVideoReader(path, read_format="rgb24")

    class Frames:
        def __len__(self) -> int:
            return int(reader.nframes)

        def __getitem__(self, t: int) -> np.ndarray:
            return reader[t]

    return Frames()


def open_napari_video(path: str) -> Any:
    """Open with napari-video, as it reads for napari."""
    from napari_video.napari_video import VideoReaderNP

    return VideoReaderNP(path)


def open_decord(path: str) -> Any:
    """Open with decord2."""
    import decord

    decord.bridge.set_bridge("native")
    reader = decord.VideoReader(path)

    class Frames:
        def __len__(self) -> int:
            return len(reader)

        def __getitem__(self, t: int) -> np.ndarray:
            return reader[t].asnumpy()

    return Frames()


def open_opencv(path: str) -> Any:
    """Open with OpenCV."""
    import cv2

    capture = cv2.VideoCapture(path)

    class Frames:
        def __len__(self) -> int:
            return int(capture.get(cv2.CAP_PROP_FRAME_COUNT))

        def __getitem__(self, t: int) -> np.ndarray:
            capture.set(cv2.CAP_PROP_POS_FRAMES, t)
            return capture.read()[1]

    return Frames()


def open_torchcodec(path: str) -> Any:
    """Open with torchcodec."""
    from torchcodec.decoders import VideoDecoder

    decoder = VideoDecoder(path, dimension_order="NHWC")

    class Frames:
        def __len__(self) -> int:
            return len(decoder)

        def __getitem__(self, t: int) -> np.ndarray:
            return decoder[t].numpy()

    return Frames()


READERS: dict[str, Callable[[str], Any]] = {
    "bound": Bound,
    "napari-ubam": open_ours,
    "napari-pyav": open_napari_pyav,
    "napari-video": open_napari_video,
    "decord2": open_decord,
    "opencv": open_opencv,
    "torchcodec": open_torchcodec,
}
OURS = ("bound", "napari-ubam")
