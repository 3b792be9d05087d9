"""A sample cohort whose truth is known, for the sample-data menu, the demo and the tests."""

from napari_ubam.sample.body import JOINTS
from napari_ubam.sample.cohort import FPS, SampleRecording, make_cohort, write_cohort
from napari_ubam.sample.gait import ANGLES
from napari_ubam.sample.sessions import FATES, make_sessions

__all__ = ["ANGLES", "FATES", "FPS", "JOINTS", "SampleRecording", "make_cohort", "make_sessions", "write_cohort"]
