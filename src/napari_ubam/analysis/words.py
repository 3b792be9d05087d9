"""Say in words what was found, what cannot be said, and what the measures mean."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

FEW = 6  # subjects in a group
ENOUGH = 19  # reference subjects for a single subject to reach p = 0.05
SPOKEN = {"important": "the share of frames with important deviation", "abnormal": "the share of abnormal frames"}
WRITTEN = {"important": "frames with important deviation [%]", "abnormal": "abnormal frames [%]"}


def findings(
    subjects: pd.DataFrame,
    comparison: pd.DataFrame,
    reference: str,
    *,
    overall: pd.DataFrame | None = None,
    sessions: pd.DataFrame | None = None,
) -> list[str]:
    """Say in words what was found.

    Parameters
    ----------
    subjects : DataFrame
        One row a subject: columns ``subject``, ``group``, ``deviation``, ``p_value`` and ``n_reference``.
    comparison : DataFrame
        The result of `napari_ubam.analysis.groups.compare_groups`.
    reference : str
        The reference group.
    overall : DataFrame, optional
        The result of `napari_ubam.analysis.groups.compare_all_groups`.
    sessions : DataFrame, optional
        The result of `napari_ubam.analysis.paired.compare_sessions`.

    Returns
    -------
    list of str
        For every group but the reference who stands out and how different it is in each measure; then for all groups,
        and for every two sessions.
    """
    sentences = []
    for group in sorted(set(subjects["group"]) - {reference}):
        text = _who_stands_out(subjects, group, reference)
        pairs = comparison[(comparison["group"] == group) & (comparison["reference"] == reference)]
        sentences += [text, *map(_how_different, _tested(pairs))]
    sentences += map(_how_different, _tested(comparison[comparison["reference"] != reference]))
    if overall is not None:
        sentences += [
            f"In {_spoken(row)}, the groups {row['groups']} "
            f"{'differ' if row['p_adjusted'] <= 0.05 else 'do not show a difference'} as a whole (Kruskal-Wallis, "
            f"{row['n_subjects']} subjects, p = {in_digits(row['p_adjusted'])}, corrected for multiple testing)."
            for row in overall[overall["p_value"].notna()].to_dict("records")
        ]
    if sessions is not None:
        tested = sessions[sessions["p_value"].notna()].to_dict("records")
        sentences += [_how_changed(row) for row in tested]
    return sentences


def _tested(comparison: pd.DataFrame) -> list[dict[str, Any]]:
    """Give the rows with a p-value: of a group of a single subject, more is said by the subject's own."""
    return comparison[comparison["p_value"].notna()].to_dict("records")


def _spoken(row: dict[str, Any]) -> str:
    """Name a measure as one would say it."""
    return SPOKEN.get(row["measure"], row["measure"])


def _who_stands_out(subjects: pd.DataFrame, group: str, reference: str) -> str:
    own = subjects[subjects["group"] == group].sort_values("deviation", ascending=False)
    n_reference = int(own["n_reference"].min())
    enough = n_reference >= ENOUGH
    rank = (own["p_value"] * (own["n_reference"] + 1)).round()  # what is read from a table has lost digits
    out = own[rank / (own["n_reference"] + 1) <= 0.05] if enough else own[rank == 1]
    names = out["subject"].astype(str)
    text = f"{len(out)} of {len(own)} {_plural('subject', len(own))} of the group {group} "
    if enough:
        text += f"{'has' if len(out) == 1 else 'have'} a p-value of at most 0.05 among {reference} subjects"
    else:
        text += f"{'is' if len(out) == 1 else 'are'} beyond every left-out {reference} subject"
    return text + (f": {', '.join(names)}." if len(names) else ".")


def _how_different(row: dict) -> str:
    text = (
        f"In {_spoken(row)}, a subject of the group {row['group']} scores higher than one of {row['reference']} with "
        f"probability {row['auc']:.2f} (95 % confidence: {row['auc_low']:.2f} to {row['auc_high']:.2f}; "
        f"p = {in_digits(row['p_adjusted'])}, corrected for multiple testing)."
    )
    if row["p_adjusted"] > 0.05 and math.isfinite(row["detectable_auc"]):
        text += (
            " That no difference was shown does not say that there is none: groups of this size show one in 80 % of "
            f"studies if the probability is truly {row['detectable_auc']:.2f} or more."
        )
    return text


def _how_changed(row: dict) -> str:
    return (
        f"In {_spoken(row)}, {row['n_subjects']} subjects of the group {row['group']} changed from session "
        f"{row['baseline']} to {row['session']} by {in_digits(row['difference'])} on average (95 % confidence: "
        f"{in_digits(row['difference_low'])} to {in_digits(row['difference_high'])}; p = "
        f"{in_digits(row['p_adjusted'])}, corrected for multiple testing)."
    )


def question(subjects: pd.DataFrame, reference: str) -> str:
    """Say what is asked, and of how many subjects: columns ``group`` and ``subject``."""
    sizes = subjects.groupby("group")["subject"].nunique()
    others = ", ".join(f"{group} ({n})" for group, n in sizes.drop(reference, errors="ignore").items())
    return (
        f"Do the subjects of {others or 'other groups'} move otherwise than those of {reference} "
        f"({sizes.get(reference, 0)})? In brackets: how many subjects there are."
    )


def how_to_read(reference: str) -> list[str]:
    """Explain the measures to a reader who was not there.

    Parameters
    ----------
    reference : str
        The reference group.

    Returns
    -------
    list of str
        One paragraph a measure.
    """
    return [
        "Deviation: how far a subject's postures lie from the reference posture, that is, from what subjects of the "
        f"group {reference} show at the same point of the same movement. Everyone is measured against the same number "
        "of reference subjects and never against themselves, so reference subjects have deviations too: theirs are "
        "what is usual.",
        "Important deviation: beyond what other reference subjects exceed in few of their frames. Abnormal frames: "
        "those that a machine trained on other reference subjects alone calls so; of theirs, few. How few is the "
        "setting error rate, at the end of this page.",
        "p of a subject: the share of reference subjects, the subject itself included, that deviate at least as much.",
        "AUC: the probability that a random subject of a group scores higher than a random reference subject. 0.5: no "
        "difference; 1: every one does. p of a group: the share of all ways to shuffle subjects between the two "
        "groups whose AUC is as far from 0.5; adjusted: corrected by Benjamini and Hochberg's method for the number of "
        "comparisons, so that of all that are called different at most 5 % are not.",
        "Hedges' g: the difference of the means in standard deviations, corrected for small groups. Cliff's delta: "
        "2 AUC - 1. Detectable AUC: the smallest that so many subjects would show in 80 % of studies.",
    ]


def caveats(
    subjects: pd.DataFrame,
    comparison: pd.DataFrame,
    *,
    frames: pd.DataFrame | None = None,
    covariates: pd.DataFrame | None = None,
    nuisances: pd.DataFrame | None = None,
    problems: Sequence[str] = (),
) -> list[str]:
    """Say what the results cannot show.

    Parameters
    ----------
    subjects : DataFrame
        One row a subject: columns ``subject``, ``p_value`` and ``n_reference``.
    comparison : DataFrame
        The result of `napari_ubam.analysis.groups.compare_groups`.
    frames : DataFrame, optional
        One row a frame: columns ``recording`` and ``reliable``.
    covariates : DataFrame, optional
        The result of `napari_ubam.analysis.nuisances.describe_covariates`.
    nuisances : DataFrame, optional
        The result of `napari_ubam.analysis.nuisances.compare_nuisances`.
    problems : sequence of str
        What was left out, and why.

    Returns
    -------
    list of str
        One caveat each.
    """
    return [
        *_about_single_subjects(subjects),
        *dict.fromkeys(_about_small_groups(comparison)),  # each once, whatever the measure
        *(_about_frames(frames) if frames is not None and len(frames) else ()),
        *(_about_covariates(covariates) if covariates is not None else ()),
        *(_about_nuisances(nuisances) if nuisances is not None else ()),
        *problems,
        "A deviation is a difference from the reference group in these recordings. It is not a diagnosis: camera, "
        "room, clothes, instructions and build can differ between groups too.",
    ]


def comparison_table(comparison: pd.DataFrame) -> pd.DataFrame:
    """Make the comparison of groups short enough for a page.

    Parameters
    ----------
    comparison : DataFrame
        The result of `napari_ubam.analysis.groups.compare_groups`.

    Returns
    -------
    DataFrame
        One row a measure and group; numbers of subjects and medians of both groups share a column, and so do the AUC
        and its interval.
    """

    def short(row: dict) -> dict:
        interval = f"{row['auc']:.2f} ({row['auc_low']:.2f} to {row['auc_high']:.2f})"
        return {
            "measure": WRITTEN.get(row["measure"], row["measure"]),
            "groups (subjects)": f"{row['group']} ({row['n_group']}), {row['reference']} ({row['n_reference']})",
            "medians": f"{in_digits(row['median_group'])}, {in_digits(row['median_reference'])}",
            "hedges_g": row["hedges_g"],
            "cliffs_delta": row["cliffs_delta"],
            "AUC (95 %)": interval if math.isfinite(row["auc"]) else "",
            "p_value": row["p_value"],
            "p_adjusted": row["p_adjusted"],
            "smallest_p": row["smallest_p"],
            "detectable_AUC": row["detectable_auc"],
        }

    return pd.DataFrame([short(row) for row in comparison.to_dict("records")])


def in_digits(value: Any) -> str:
    """Give a value as a reader wants it: three digits, no exponents where they can be spared."""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, float):  # numpy's float64 is one
        if math.isnan(value):
            return ""
        return f"{value:.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.3g}"
    return "" if value is None else str(value)


def _about_single_subjects(subjects: pd.DataFrame) -> Iterator[str]:
    if subjects.empty:
        return
    n, least = int(subjects["n_reference"].max()), int(subjects["n_reference"].min())
    text = f"Single subjects are ranked among {n} reference {_plural('subject', n)}: "
    text += f"the smallest possible p is 1/{n + 1} = {in_digits(1 / (n + 1))}"
    text += f" (1/{least + 1} for a reference subject, who is ranked among the others). " if least < n else ". "
    text += f"No single subject can reach p = 0.05; that takes {ENOUGH} reference subjects. " if n < ENOUGH else ""
    expected = (1 / (subjects["n_reference"] + 1)).clip(lower=0.05).sum()
    yield text + (
        f"These p-values are not corrected for {len(subjects)} subjects: about {in_digits(expected)} would be "
        f"at or below {in_digits(max(0.05, 1 / (least + 1)))} by chance."
    )


def _about_small_groups(comparison: pd.DataFrame) -> Iterator[str]:
    for row in comparison.to_dict("records"):
        pair = f"{row['group']} ({row['n_group']}) and {row['reference']} ({row['n_reference']})"
        if pd.isna(row["p_value"]):
            yield f"{pair}: {row['note']}."
            continue
        if pd.notna(row["note"]) and row["note"]:
            yield f"{_capital(_spoken(row))} of {pair} subjects: {row['note']}."
        if row["smallest_p"] > 0.05:
            yield (
                f"With so few subjects, {pair}, the smallest possible p in {_spoken(row)} is "
                f"{in_digits(row['smallest_p'])}: no difference between these groups could be significant at 0.05."
            )
        elif min(row["n_group"], row["n_reference"]) < FEW:
            yield f"Groups of fewer than {FEW} subjects, {pair}: one more or less could change what was found."


def _about_frames(frames: pd.DataFrame) -> Iterator[str]:
    unreliable = ~frames["reliable"].astype(bool)
    if not unreliable.any():
        return
    share = in_digits(100 * unreliable.mean())
    text = f"{unreliable.sum()} of {len(frames)} frames ({share} %) have no good reference posture"
    shares = unreliable.groupby(frames["recording"]).mean()
    worst = shares[shares > 0.5].sort_values(ascending=False)
    if len(worst):
        text += "; more than half of " + ", ".join(f"{name} ({100 * share:.0f} %)" for name, share in worst.items())
    yield text + ". Their deviations are given but grey, for there was little to compare them with."


def _about_covariates(covariates: pd.DataFrame) -> Iterator[str]:
    groups = [column for column in covariates if column not in ("covariate", "imbalance", "differs")]
    for row in covariates[covariates["differs"]].to_dict("records"):
        values = "; ".join(f"{group}: {row[group]}" for group in groups)
        yield f"The groups differ in {row['covariate']} ({values}), which may explain a deviation too."


def _about_nuisances(nuisances: pd.DataFrame) -> Iterator[str]:
    for row in nuisances[nuisances["as_well"].astype(bool)].to_dict("records"):
        yield (
            f"{_capital(str(row['nuisance']))} separates {row['group']} from {row['reference']} (AUC "
            f"{row['separation']:.2f}, p = {in_digits(row['p_value'])}) about as well as {_spoken(row)} does "
            f"({row['posture_separation']:.2f}): it may be the reason for the difference."
        )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _plural(word: str, n: int) -> str:
    return word if n == 1 else f"{word}s"
