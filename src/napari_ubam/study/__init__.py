"""What is compared with what: studies, recordings, and their files on disk."""

from napari_ubam.study.background import median_colour
from napari_ubam.study.boris import write_boris
from napari_ubam.study.clusters import CLUSTERS, read_clusters
from napari_ubam.study.crops import MUCH, Crops, cache_size, check_disk, crops_key, describe_size, load_crops
from napari_ubam.study.embeddings import (
    Embedding,
    embedding_path,
    fingerprint,
    read_embedding,
    read_provenance,
    write_embedding,
)
from napari_ubam.study.intervals import Interval, read_intervals, replace_intervals, write_intervals
from napari_ubam.study.layers import save_layer
from napari_ubam.study.maps import CodeMap, KeptMap, read_map, write_map
from napari_ubam.study.npy import forget
from napari_ubam.study.recording import Recording
from napari_ubam.study.results import (
    Reference,
    keypoints_path,
    read_reference,
    read_result,
    read_run,
    record_run,
    result_fingerprint,
    write_reference,
    write_result,
)
from napari_ubam.study.squares import cut_square, resize_square
from napari_ubam.study.study import Study
from napari_ubam.study.table import read_table, unique_name, write_table
from napari_ubam.study.track import track

__all__ = [
    "CLUSTERS",
    "MUCH",
    "CodeMap",
    "Crops",
    "Embedding",
    "Interval",
    "KeptMap",
    "Recording",
    "Reference",
    "Study",
    "cache_size",
    "check_disk",
    "crops_key",
    "cut_square",
    "describe_size",
    "embedding_path",
    "fingerprint",
    "forget",
    "keypoints_path",
    "load_crops",
    "median_colour",
    "read_clusters",
    "read_embedding",
    "read_intervals",
    "read_map",
    "read_provenance",
    "read_reference",
    "read_result",
    "read_run",
    "read_table",
    "record_run",
    "replace_intervals",
    "resize_square",
    "result_fingerprint",
    "save_layer",
    "track",
    "unique_name",
    "write_boris",
    "write_embedding",
    "write_intervals",
    "write_map",
    "write_reference",
    "write_result",
    "write_table",
]
