"""Memory does not grow with the length of a video."""

import json
import subprocess
import sys

import av
import numpy as np
import pytest

READ = """
import json, sys
import numpy as np, psutil
from napari_ubam.video import LazyVideo
from napari_ubam.video.frame_cache import FRAME_CACHE

FRAME_CACHE.limit = int(sys.argv[2])
video, process = LazyVideo(sys.argv[1]), psutil.Process()
video[0], next(video.iterate())
before, used = process.memory_info().rss, []
for t in np.random.default_rng(0).integers(0, len(video), len(video)).tolist():
    video[t]
    used.append(process.memory_info().rss - before)
for _ in video:
    used.append(process.memory_info().rss - before)
print(json.dumps(max(used)))
"""


@pytest.fixture(scope="module")
def lengths(tmp_path_factory):
    """Give a short video and one ten times as long, of 115 kB a frame."""
    paths = [tmp_path_factory.mktemp("memory") / f"{n}.avi" for n in (150, 1500)]
    for path in paths:
        with av.open(str(path), "w") as container:
            stream = container.add_stream("mjpeg", rate=25)
            stream.width, stream.height, stream.pix_fmt = 320, 240, "yuvj420p"
            for t in range(int(path.stem)):
                image = np.full((360, 320), t % 256, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="yuvj420p")))
            container.mux(stream.encode())
    return paths


def grown(path, limit):
    """Give how much a process grows that reads all of a video at random and in order [bytes]."""
    done = subprocess.run([sys.executable, "-c", READ, str(path), str(limit)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_memory_is_flat_whatever_the_length(lengths):
    short, long = (grown(path, 10_000_000) for path in lengths)
    assert long < short + 10_000_000
    assert long < 40_000_000


def test_kept_frames_are_what_takes_memory(lengths):  # or the test above would show nothing
    assert grown(lengths[1], 10**9) > 100_000_000
