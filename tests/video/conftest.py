"""Small videos of every awkward kind, each frame different from all others."""

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

N = 50


def picture(t: int, height: int = 48, width: int = 64) -> np.ndarray:
    """Give a moving pattern whose upper rows spell the frame number in eight blocks."""
    y, x = np.mgrid[:height, :width]
    image = np.stack([(3 * x + 5 * t) % 256, (4 * y + 2 * t) % 256, (x + y) % 256], axis=-1).astype(np.uint8)
    for bit in range(8):
        image[:8, 8 * bit : 8 * bit + 8] = 255 * ((t >> bit) & 1)
    return image


def make_video(
    path, codec, pix_fmt="yuv420p", times=None, gop=12, b_frames=2, options=None, n=N, size=(48, 64), pixel=1
):
    """Write ``n`` pictures with PyAV; ``times`` [ms] make the rate variable, ``pixel`` is how wide a pixel is."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        (stream.height, stream.width), stream.pix_fmt = size, pix_fmt
        if pixel != 1:
            stream.sample_aspect_ratio = Fraction(pixel)
        if gop:
            stream.codec_context.gop_size = gop
        if b_frames is not None:
            stream.codec_context.max_b_frames = b_frames
        base = Fraction(1, 25) if times is None else Fraction(1, 1000)
        if times is not None:
            stream.codec_context.time_base = base
        for t in range(n):
            frame = av.VideoFrame.from_ndarray(picture(t, *size), format="rgb24")
            frame.pts, frame.time_base = t if times is None else int(times[t]), base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def remux(source, path, options=None, shift=0, rotation=None, skip=0, jump=0):
    """Copy the packets into a new container.

    They are presented ``shift`` frames earlier, without the first ``skip`` packets; from the middle on ``jump`` later.
    """
    with av.open(str(source)) as old, av.open(str(path), "w", options=options or {}) as new:
        stream = old.streams.video[0]
        copy = new.add_stream_from_template(stream)
        if rotation is not None:
            copy.set_display_rotation(rotation)
        for i, packet in enumerate(old.demux(stream)):
            if packet.dts is not None and i >= skip:
                earlier = int((shift - jump * (i >= N // 2)) / 25 / stream.time_base)
                packet.stream = copy
                packet.pts -= earlier
                packet.dts -= earlier
                new.mux(packet)
    return path


def cut(source, path, part):
    """Copy the first ``part`` of the bytes."""
    data = Path(source).read_bytes()
    Path(path).write_bytes(data[: int(part * len(data))])
    return path


def decode_all(path) -> list[np.ndarray]:
    """Decode a video from its start to its end, plainly."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def make_kind(kind: str, folder: Path) -> Path:
    """Make one of the awkward videos."""
    if kind in (
        "edit_list.mp4",
        "fragmented.mp4",
        "late.mp4",
        "no_keyframe_first.ts",
        "no_keyframe_first.mkv",
        "jump.mkv",
    ):
        plain = make_video(folder / "plain.mp4", "libx264")
    match kind:
        case "constant.mp4" | "camera.flv" | "bare.h264":
            return make_video(folder / kind, "libx264")
        case "variable.mp4":
            times = np.cumsum(np.random.default_rng(0).integers(5, 90, N))
            return make_video(folder / kind, "libx264", times=times)
        case "open_gop.mkv":
            return make_video(folder / kind, "libx264", options={"x264-params": "open-gop=1:bframes=3"})
        case "open_gop.mov":
            return make_video(folder / kind, "libx265", options={"x265-params": "open-gop=1:log-level=none"})
        case "intra_refresh.mp4":
            return make_video(folder / kind, "libx264", options={"x264-params": "intra-refresh=1:keyint=12"})
        case "long_gop.mp4":
            return make_video(folder / kind, "libx264", gop=1000, options={"x264-params": "scenecut=0"})
        case "lossless.mkv":
            return make_video(folder / kind, "ffv1", "bgr0", gop=None, b_frames=None)
        case "no_index.ts":
            return make_video(folder / kind, "libx264", options={"x264-params": "open-gop=1"})
        case "mpeg2.mpg" | "mpeg2.mts":
            return make_video(folder / kind, "mpeg2video")
        case "b_frames.avi":
            return make_video(folder / kind, "mpeg4")
        case "h264.avi":
            return make_video(folder / kind, "libx264")
        case "windows.wmv":
            return make_video(folder / kind, "wmv2", b_frames=0)
        case "web.webm":
            return make_video(folder / kind, "libvpx", b_frames=None, options={"deadline": "realtime", "cpu-used": "8"})
        case "vp9.webm" | "odd.webm":
            size = (47, 65) if kind.startswith("odd") else (48, 64)
            options = {"deadline": "realtime", "cpu-used": "8", "auto-alt-ref": "1", "lag-in-frames": "10"}
            return make_video(folder / kind, "libvpx-vp9", b_frames=None, options=options, size=size)
        case "av1.mkv" | "av1.mp4":
            options = {"preset": "12", "svtav1-params": "lp=1"}
            with ThreadPoolExecutor(1) as alone:  # the superuser's thread that encodes gets real-time priority for good
                return alone.submit(
                    make_video, folder / kind, "libsvtav1", b_frames=None, options=options, size=(64, 64)
                ).result()
        case "h265.mp4":
            return make_video(folder / kind, "libx265", options={"x265-params": "log-level=none"})
        case "10_bits.mkv":
            options = {"x265-params": "log-level=none"}
            return make_video(folder / kind, "libx265", "yuv420p10le", options=options)
        case "photos.avi" | "photos.mov" | "bare.mjpeg":
            return make_video(folder / kind, "mjpeg", "yuvj420p", gop=None, b_frames=None)
        case "prores.mov":
            return make_video(folder / kind, "prores_ks", "yuv422p10le", gop=None, b_frames=None)
        case "raw.avi" | "raw.mov":
            pix_fmt = "bgr24" if kind.endswith("avi") else "rgb24"
            return make_video(folder / kind, "rawvideo", pix_fmt, gop=None, b_frames=None)
        case "grey_16_bits.mkv":
            return make_video(folder / kind, "ffv1", "gray16le", gop=None, b_frames=None, options={"level": "3"})
        case "animation.gif":
            return make_video(folder / kind, "gif", "rgb8", gop=None, b_frames=None)
        case "interlaced.mts":
            return make_video(
                folder / kind, "libx264", options={"x264-params": "interlaced=1:bframes=2"}, size=(64, 64)
            )
        case "interlaced.mpg":
            return make_video(folder / kind, "mpeg2video", options={"flags": "+ildct+ilme"})
        case "odd.mkv":
            return make_video(folder / kind, "libx264", "yuv444p", size=(47, 65))
        case "wide_pixels.mp4":
            return make_video(folder / kind, "libx264", pixel=Fraction(4, 3))
        case "late.mp4":
            return remux(plain, folder / kind, {"avoid_negative_ts": "disabled"}, shift=-60)
        case "no_keyframe_first.ts" | "no_keyframe_first.mkv":
            return remux(plain, folder / kind, skip=4)
        case "jump.mkv":
            return remux(plain, folder / kind, jump=1000)
        case "jump_back.ts":
            parts = [make_video(folder / f"{ms}.ts", "libx264", times=range(ms, ms + 40 * N, 40)) for ms in (9000, 0)]
            (folder / kind).write_bytes(b"".join(part.read_bytes() for part in parts))
            return folder / kind
        case "edit_list.mp4":
            return remux(plain, folder / kind, {"avoid_negative_ts": "disabled"}, shift=5)
        case "fragmented.mp4":
            return remux(plain, folder / kind, {"movflags": "+frag_keyframe+empty_moov"})
    raise ValueError(kind)


@pytest.fixture(scope="session")
def videos(tmp_path_factory):
    """Give a function that makes an awkward video by its name, once."""
    folder = tmp_path_factory.mktemp("videos")
    made: dict[str, Path] = {}

    def get(kind: str) -> Path:
        if kind not in made:
            made[kind] = make_kind(kind, folder)
        return made[kind]

    return get


@pytest.fixture(scope="session")
def kit() -> SimpleNamespace:
    """Give the functions above to the tests."""
    return SimpleNamespace(n=N, picture=picture, make_video=make_video, remux=remux, cut=cut, decode_all=decode_all)
