"""A sample cohort whose truth is known, for the sample-data menu, the demo and the tests."""

from napari_ubam.sample.body import JOINTS
from napari_ubam.sample.cohort import FPS, SampleRecording, make_cohort, write_cohort
from napari_ubam.sample.gait import ANGLES

__all__ = ["ANGLES", "FPS", "JOINTS", "SampleRecording", "make_cohort", "write_cohort"]
