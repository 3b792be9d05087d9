"""What the columns of the comparison's tables mean, and in which unit they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

_MEANINGS = {  # unit and meaning of a column, the same in all tables
    "abnormal": ("%", "share of the frames that a one-class machine of other reference subjects calls abnormal"),
    "accuracy": ("0 to 1", "share of unseen subjects that are put into the right group"),
    "as_well": ("yes or no", "separates the groups beyond chance, and as well as posture within its confidence limits"),
    "aside": (
        "impairments",
        "how far the last session is from the baseline in other ways than the impairment, without chance",
    ),
    "auc": (
        "0 to 1",
        "probability that a member of the group scores higher than one of the reference; 0.5: no difference",
    ),
    "auc_high": ("0 to 1", "upper 95 % confidence limit of auc"),
    "auc_low": ("0 to 1", "lower 95 % confidence limit of auc"),
    "auc_unseen": ("0 to 1", "auc of on against off frames, by what was fitted to other subjects"),
    "auc_within": (
        "0 to 1",
        "auc of on against off frames, by what was fitted to other stretches of time of the same subject",
    ),
    "balanced_accuracy": ("0 to 1", "accuracy, averaged over groups"),
    "baseline": ("", "the session that is compared with"),
    "chance": ("0 to 1", "the balanced accuracy of guessing"),
    "change": ("that of the measure", "mean score after the change point minus that before"),
    "cliffs_delta": ("-1 to 1", "2 auc - 1"),
    "cliffs_delta_high": ("-1 to 1", "upper 95 % confidence limit of cliffs_delta"),
    "cliffs_delta_low": ("-1 to 1", "lower 95 % confidence limit of cliffs_delta"),
    "covariate": ("", "a further column of the table of recordings"),
    "detectable_auc": ("0 to 1", "smallest auc that so many subjects would show in 80 % of studies; empty: none"),
    "deviation": ("usual difference of reference subjects", "mean distance from the reference posture"),
    "difference": (
        "that of the measure",
        "difference of the means, higher than 0 where the group or session scores higher",
    ),
    "difference_high": ("that of the measure", "upper 95 % limit of difference, by bootstrap over subjects"),
    "difference_low": ("that of the measure", "lower 95 % limit of difference, by bootstrap over subjects"),
    "extreme": ("", "highest: least like the reference group; lowest: most like it"),
    "features": ("", "what the classifier saw"),
    "first_after": ("days", "first session after the change point"),
    "frame": ("frames", "number of the frame in the file, from 0"),
    "group": ("", "group of the subject, or the group that is compared"),
    "groups": ("", "groups that are compared"),
    "hedges_g": ("standard deviations", "difference of the means, corrected for small groups"),
    "high": ("that of the measure", "upper 95 % limit of the mean, by bootstrap over subjects"),
    "impaired_session": ("days", "the session that differs most from the baseline"),
    "important": ("%", "share of the frames beyond what other reference subjects exceed in few of theirs"),
    "kruskal_h": ("", "Kruskal and Wallis' H"),
    "label": ("", "what was on"),
    "p_independent": (
        "0 to 1",
        "p-value by how much a change explains: if without one no session says anything of the next",
    ),
    "last_before": ("days", "last session before the change point"),
    "last_session": ("days", "the last session"),
    "left": ("impairments", "how much of the impairment is left in the last session: 0 none, 1 all"),
    "low": ("that of the measure", "lower 95 % limit of the mean, by bootstrap over subjects"),
    "like": ("0 to 1", "how much of what goes round in a cycle does so as in the reference group"),
    "mean": ("that of the measure", "mean over subjects"),
    "mean_baseline": ("that of the measure", "mean over subjects in the baseline session"),
    "mean_group": ("that of the measure", "mean over the group's subjects"),
    "mean_reference": ("that of the measure", "mean over the reference's subjects"),
    "mean_session": ("that of the measure", "mean over subjects in the session"),
    "measure": ("", "what is compared"),
    "median_group": ("that of the measure", "median over the group's subjects"),
    "median_reference": ("that of the measure", "median over the reference's subjects"),
    "method": ("", "how slope and its limits were found"),
    "model": ("", "the kind of classifier"),
    "n": ("subjects", "how many"),
    "n_frames": ("frames", "how many"),
    "n_group": ("subjects", "how many in the group"),
    "n_groups": ("groups", "how many"),
    "n_off": ("frames", "how many while it was off"),
    "n_on": ("frames", "how many while it was on"),
    "n_reference": ("subjects", "how many in the reference"),
    "n_sessions": ("sessions", "how many"),
    "n_subjects": ("subjects", "how many"),
    "note": ("", "what was left out or could not be tested, and why"),
    "nuisance": ("", "what may separate the groups beside posture"),
    "outcome": (
        "",
        "what became of the impairment: returned, partial return, compensated, not recovered, or not impaired",
    ),
    "p_adjusted": ("0 to 1", "p_value corrected for the number of rows (Benjamini and Hochberg)"),
    "p_value": ("0 to 1", "share of all labelings of the subjects that differ at least as much"),
    "period": ("s", "length of a cycle of the movement; empty: it is not periodic"),
    "phase": ("cycles", "where the part of the cycle begins, 0 to 1"),
    "posture_separation": ("0.5 to 1", "the measure's own auc, in the better direction"),
    "predicted": ("", "the group, or the value, that is predicted by what never saw the subject"),
    "r2": ("up to 1", "share of the variance that is predicted; below 0: the mean would do better"),
    "rank": ("", "place among reference subjects, counted from the one that deviates most"),
    "rank_biserial": ("-1 to 1", "sum of the signed ranks of the subjects' changes over the sum of the ranks"),
    "rank_correlation": ("-1 to 1", "Spearman's, between true and predicted values of unseen subjects"),
    "recording": ("", "name of the recording"),
    "reference": ("", "the group that is compared with"),
    "reference_high": ("usual difference of reference subjects", "95th percentile of the other reference subjects"),
    "reference_low": ("usual difference of reference subjects", "5th percentile of the other reference subjects"),
    "score": ("of the classifier", "higher the less a subject or clip is like the reference group"),
    "separation": ("0.5 to 1", "auc of the nuisance in the better direction or order"),
    "session": ("", "visit or day"),
    "shuffled_accuracy": ("0 to 1", "mean balanced accuracy with shuffled labels; about chance"),
    "shuffled_high": ("0 to 1", "97.5th percentile of the balanced accuracy with shuffled labels"),
    "shuffled_low": ("0 to 1", "2.5th percentile of the balanced accuracy with shuffled labels"),
    "size": ("sizes by chance", "size of the impairment over what chance would make of it"),
    "slope": ("that of the measure a day", "how fast the measure rises"),
    "slope_high": ("that of the measure a day", "upper 95 % limit of slope"),
    "slope_low": ("that of the measure a day", "lower 95 % limit of slope"),
    "smallest_p": ("0 to 1", "smallest p_value that so many subjects, with such ties, can reach"),
    "strength": ("0 to 1", "how much the movement is like itself one cycle later: 1 exactly"),
    "subject": ("", "name of the subject"),
    "subjects": ("subjects", "how many"),
    "value": ("that of the covariate", "the true value"),
}


def columns_of(tables: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Say what the columns of some tables mean.

    Parameters
    ----------
    tables : mapping of str to sequence of str
        Every table's columns.

    Returns
    -------
    DataFrame
        One row a table and column: ``table``, ``column``, ``unit``, ``meaning``.
    """
    rows = [(f"{name}.csv", column, *_MEANINGS[column]) for name, columns in tables.items() for column in columns]
    return pd.DataFrame(rows, columns=["table", "column", "unit", "meaning"])
