"""Frames into a video file."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Self

import av
import numpy as np
import tifffile
from av.codec.codec import UnknownCodecError
from av.container import OutputContainer
from av.video.stream import VideoStream
from PIL import Image

from napari_ubam.errors import VideoError
from napari_ubam.files import atomic_path
from napari_ubam.progress import Progress, Report, silent
from napari_ubam.settings import Quality

_TICK = Fraction(1, 90_000)  # of variable time stamps [s]
_GIF_TICK = Fraction(1, 100)  # GIF knows no finer one [s]
_BIG_TIFF = 2**32 - 2**25  # bytes that a classic TIFF can hold


@dataclass(frozen=True)
class _Format:
    """How a suffix is written.

    Attributes
    ----------
    muxer, codec : str
        FFmpeg's names.
    pix_fmts : dict
        Pixel format by the type of the values and the number of channels; others are made RGB.
    options : dict
        Of the encoder.
    crf : dict
        The encoder's constant rate factor for each quality.
    """

    muxer: str
    codec: str
    pix_fmts: dict[tuple[str, int], str]
    options: dict[str, str]
    crf: dict[Quality, int] = field(default_factory=dict)


# Short groups of pictures keep jumping about in the file quick.
_H264 = {"preset": "fast", "g": "25"}
_H264_CRF: dict[Quality, int] = {"small": 28, "good": 18, "best": 10}
_EXACT = {
    ("uint8", 1): "gray",
    ("uint8", 3): "bgr0",
    ("uint8", 4): "bgra",
    ("uint16", 1): "gray16le",
    ("uint16", 3): "gbrp16le",
}
_FORMATS = {
    ".mkv": _Format("matroska", "ffv1", _EXACT, {"level": "3", "slices": "4", "slicecrc": "1", "g": "1"}),
    ".mp4": _Format("mp4", "libx264", {("uint8", 3): "yuv420p"}, _H264, _H264_CRF),
    ".mov": _Format("mov", "libx264", {("uint8", 3): "yuv420p"}, _H264, _H264_CRF),
    ".webm": _Format(
        "webm", "libvpx-vp9", {("uint8", 3): "yuv420p"},
        {"b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1", "g": "25"},
        {"small": 40, "good": 28, "best": 15},
    ),
    ".gif": _Format("gif", "gif", {("uint8", 3): "pal8"}, {}),
}  # fmt: skip
_TIFFS = (".tif", ".tiff")
WRITTEN_SUFFIXES = (*_FORMATS, *_TIFFS)
LOSSLESS_SUFFIXES = (".mkv", *_TIFFS)


def write_video(
    path: str | Path, frames: Iterable[np.ndarray], fps: float, *, times: Sequence[float] | np.ndarray | None = None,
    quality: Quality = "good", total: int = 0, report: Report = silent,
) -> int:  # fmt: skip
    """Write frames as a video, atomically.

    Parameters
    ----------
    path : str or Path
        ``.mkv`` is lossless (FFV1, 8 and 16 bits), ``.mp4`` and ``.mov`` are H.264, which everything plays, ``.webm``
        is VP9, ``.gif`` has 256 colours a frame, ``.tif`` holds the values as they are. H.264 and VP9 need even sides:
        an odd height or width is padded by repeating the last row or column.
    frames : iterable of np.ndarray
        uint8, for ``.mkv`` also uint16, for ``.tif`` of any type: RGB (Y, X, 3), RGBA (Y, X, 4; only ``.mkv`` and
        ``.tif`` keep alpha) or grey (Y, X), all of one size. They are taken one at a time, so a generator of any length
        is fine.
    fps : float
        Frames per second.
    times : sequence of float, optional
        When each frame is shown [s], where the rate is not constant. The first becomes 0.
    quality : {"small", "good", "best"}
        Of formats that are not lossless: a small file, no visible loss, or nearly none at all.
    total : int
        Number of frames, for the progress, where it is known.
    report : callable, optional
        Told of the progress; what it raises stops the writing, and nothing is left behind.

    Returns
    -------
    int
        Number of frames written.

    Raises
    ------
    VideoError
        If the suffix is none of these, there are no frames, they are not of one size and type, or times do not
        increase.
    UbamError
        If the disk is full or the folder cannot be written to.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in WRITTEN_SUFFIXES:
        raise VideoError(
            f"{path} cannot be written: choose a name that ends in .mkv (lossless), .mp4 (H.264), .mov, .webm, .gif "
            "or .tif."
        )
    if not (math.isfinite(fps) and fps > 0):
        raise VideoError(f"{path} was not written: {fps} is no number of frames per second.")
    if times is not None and np.any(np.diff(times) <= 0):
        raise VideoError(f"{path} was not written: the times of its frames do not increase.")
    begun, count = time.monotonic(), 0
    with atomic_path(path) as temporary:
        opened = (
            _Tiff(path, temporary, fps, total) if suffix in _TIFFS else _Video(path, temporary, fps, times, quality)
        )
        with opened as writer:
            for frame in frames:
                writer.write(np.asarray(frame), count)
                count += 1
                left = (time.monotonic() - begun) / count * (total - count) if total else None
                report(Progress(f"writing {path.name}", count, total, seconds_left=left))
            if not count:
                raise VideoError(f"{path} was not written: there are no frames to write.")
            writer.finish()
    return count


class _Writer:
    """Takes one frame after the other, and sees to it that they are alike."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._like: tuple[tuple[int, ...], str] | None = None

    def _check(self, image: np.ndarray, types: Iterable[str], number: int) -> np.ndarray:
        """Give an image as (Y, X, C); the first one says what the others must be like."""
        channels = image[..., None] if image.ndim == 2 else image
        if channels.ndim != 3 or channels.shape[-1] not in (1, 3, 4) or not image.size or image.dtype.name not in types:
            raise VideoError(
                f"{self.path} was not written: a frame has shape {image.shape} and type {image.dtype}; "
                f"it must be a grey or RGB image of type {' or '.join(sorted(types))}."
            )
        like = (channels.shape, image.dtype.name)
        if self._like is None:
            self._like = like
        if self._like != like:
            shape, first = channels.shape, self._like[0]
            raise VideoError(
                f"{self.path} was not written: frame {number} is {shape[1]} x {shape[0]} pixels, "
                f"the first is {first[1]} x {first[0]}. All frames must have one size and type."
            )
        return channels


class _Video(_Writer):
    """Everything that FFmpeg writes."""

    def __init__(
        self, path: Path, temporary: Path, fps: float, times: Sequence[float] | np.ndarray | None, quality: Quality
    ) -> None:
        super().__init__(path)
        self._format = _FORMATS[path.suffix.lower()]
        self._types = sorted({name for name, _ in self._format.pix_fmts})
        self._rate = Fraction(fps).limit_denominator(100_000)
        self._tick = 1 / self._rate if times is None else _TICK
        if self._format.codec == "gif":
            self._tick = _GIF_TICK
            if (1 / fps if times is None else np.min(np.diff(times), initial=1)) < _GIF_TICK:
                raise VideoError(f"{path} was not written: a GIF cannot show more than 100 frames a second.")
        self._times = times
        self._options = dict(self._format.options)
        if self._format.crf:
            self._options["crf"] = str(self._format.crf[quality])
        self._container: OutputContainer = av.open(str(temporary), "w", format=self._format.muxer)
        self._stream: VideoStream | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._container.close()

    def write(self, image: np.ndarray, number: int) -> None:
        """Encode a frame."""
        image = self._check(image, self._types, number)
        kind = (image.dtype.name, image.shape[-1])
        if kind not in self._format.pix_fmts:
            image = np.broadcast_to(image[..., :3], (*image.shape[:2], 3))
        pix_fmt = self._format.pix_fmts[image.dtype.name, image.shape[-1]]
        if self._stream is None:
            self._stream = self._add_stream(image.shape, pix_fmt)
        missing = ((0, self._stream.height - image.shape[0]), (0, self._stream.width - image.shape[1]), (0, 0))
        picture = _picture(np.pad(image, missing, mode="edge") if np.any(missing) else image, pix_fmt)
        picture.pts, picture.time_base = self._pts(number), self._tick
        self._container.mux(self._stream.encode(picture))

    def finish(self) -> None:
        """Encode what the encoder still holds."""
        assert self._stream is not None
        self._container.mux(self._stream.encode(None))

    def _add_stream(self, shape: tuple[int, ...], pix_fmt: str) -> VideoStream:
        try:
            stream = self._container.add_stream(self._format.codec, rate=self._rate, options=self._options)
            assert isinstance(stream, VideoStream)
        except UnknownCodecError as error:
            raise VideoError(
                f"{self.path} was not written: PyAV was installed without the encoder {self._format.codec}. Choose "
                "another format, such as .mkv, or install PyAV from PyPI."
            ) from error
        even = 2 if pix_fmt == "yuv420p" else 1
        stream.height, stream.width = (-(-side // even) * even for side in shape[:2])
        stream.pix_fmt = pix_fmt
        stream.codec_context.time_base = self._tick
        return stream

    def _pts(self, number: int) -> int:
        if self._times is None:
            return round(number / self._rate / self._tick)
        return round((float(self._times[number]) - float(self._times[0])) / float(self._tick))


class _Tiff(_Writer):
    """A stack of pages that hold the values as they are."""

    def __init__(self, path: Path, temporary: Path, fps: float, total: int) -> None:
        super().__init__(path)
        self._temporary, self._fps, self._total = temporary, fps, total
        self._file: tifffile.TiffWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, image: np.ndarray, number: int) -> None:
        """Write a page."""
        image = self._check(image, [image.dtype.name], number)
        if self._file is None:
            big = not self._total or self._total * image.nbytes > _BIG_TIFF
            self._file = tifffile.TiffWriter(self._temporary, bigtiff=big)
        grey = image.shape[-1] == 1
        self._file.write(
            image[..., 0] if grey else image,
            photometric="minisblack" if grey else "rgb",
            contiguous=True,
            metadata={"fps": self._fps},
        )

    def finish(self) -> None:
        """Do nothing: pages are complete."""


def _picture(image: np.ndarray, pix_fmt: str) -> av.VideoFrame:
    """Give an image (Y, X, C) to the encoder."""
    image = np.ascontiguousarray(image)
    if pix_fmt == "pal8":
        quantized = Image.fromarray(image).quantize(256)
        palette = np.zeros((256, 4), np.uint8)
        colours = np.array(quantized.getpalette(), np.uint8).reshape(-1, 3)
        palette[: len(colours), 1:], palette[:, 0] = colours, 255
        return av.VideoFrame.from_ndarray((np.asarray(quantized), palette), format="pal8")  # type: ignore[arg-type]
    if image.shape[-1] == 1:
        return av.VideoFrame.from_ndarray(image[..., 0], format=pix_fmt)
    return av.VideoFrame.from_ndarray(image, format={"gbrp16le": "rgb48le", "bgra": "rgba"}.get(pix_fmt, "rgb24"))
