"""Keypoints that other programs found: DeepLabCut, SLEAP, movement, or a plain table."""

from napari_ubam.study.keypoints.data import Keypoints, choose_individual
from napari_ubam.study.keypoints.read import holds_keypoints, read_keypoints

__all__ = ["Keypoints", "choose_individual", "holds_keypoints", "read_keypoints"]
