"""What is compared with what: studies, recordings, and their files on disk."""

from napari_ubam.study.recording import Recording
from napari_ubam.study.study import Study
from napari_ubam.study.table import read_table, unique_name, write_table

__all__ = ["Recording", "Study", "read_table", "unique_name", "write_table"]
