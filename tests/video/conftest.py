"""Small videos of every awkward kind, each frame different from all others."""

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


def make_video(path, codec, pix_fmt="yuv420p", times=None, gop=12, b_frames=2, options=None, n=N):
    """Write ``n`` pictures with PyAV; ``times`` [ms] make the rate variable."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height, stream.pix_fmt = 64, 48, pix_fmt
        if gop:
            stream.codec_context.gop_size = gop
        if b_frames is not None:
            stream.codec_context.max_b_frames = b_frames
        base = Fraction(1, 25) if times is None else Fraction(1, 1000)
        if times is not None:
            stream.codec_context.time_base = base
        for t in range(n):
            frame = av.VideoFrame.from_ndarray(picture(t), format="rgb24")
            frame.pts, frame.time_base = t if times is None else int(times[t]), base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def remux(source, path, options=None, shift=0, rotation=None):
    """Copy the packets into a new container, presented ``shift`` frames earlier."""
    with av.open(str(source)) as old, av.open(str(path), "w", options=options or {}) as new:
        stream = old.streams.video[0]
        copy = new.add_stream_from_template(stream)
        if rotation is not None:
            copy.set_display_rotation(rotation)
        earlier = int(shift / 25 / stream.time_base)
        for packet in old.demux(stream):
            if packet.dts is not None:
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
    if kind in ("edit_list.mp4", "fragmented.mp4"):
        plain = make_video(folder / "plain.mp4", "libx264")
    match kind:
        case "constant.mp4":
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
