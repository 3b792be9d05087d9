"""What the ethogram shows of a study: every frame's deviation and cluster."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from napari_ubam.study import Recording, Study, read_clusters, read_result


@dataclass(frozen=True, eq=False)
class EthogramData:
    """Every frame of a study.

    Attributes
    ----------
    frames : DataFrame
        ``recording``, ``frame``, ``deviation`` and ``cluster`` (NaN where they are not known), in the order of time; of
        measured frames also ``subject``, ``group`` and ``reliable``.
    bands : dict of str to (float, float)
        By reference subject: what the others show, lowest and highest; NaN if that is not known. That of ``""`` is for
        everyone else.
    """

    frames: pd.DataFrame
    bands: dict[str, tuple[float, float]]

    def frames_of(self, recording: str) -> pd.DataFrame:
        """Give the frames of one recording."""
        return self.frames[self.frames["recording"] == recording]

    def band(self, recording: Recording) -> tuple[float, float]:
        """Give what other subjects of the reference group show, lowest and highest; NaN if that is not known."""
        return self.bands.get(recording.subject, self.bands[""])


def load_ethogram(study: Study) -> EthogramData:
    """Read the deviations and clusters of a study, as far as there are any."""
    from napari_ubam.analysis.deviation import reference_band  # loads scikit-learn

    if (study.results_folder / "deviation.csv").exists():
        measured = read_result(study, "deviation", "deviate")
    else:
        columns = ["recording", "subject", "group", "frame", "deviation", "reliable"]
        measured = pd.DataFrame(columns=columns).astype({"recording": str, "frame": int})
    frames = measured.merge(read_clusters(study), on=["recording", "frame"], how="outer")
    frames["reliable"] = frames["reliable"].eq(True)
    references = measured.loc[measured["group"] == study.reference, "subject"].unique()
    bands = {subject: reference_band(measured, study.reference, subject) for subject in ("", *references)}
    return EthogramData(frames.astype({"frame": int, "deviation": float, "cluster": float}), bands)
