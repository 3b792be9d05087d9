"""The last step: what was found, as one page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from napari_ubam.analysis.by_phase import beyond_by_phase, plot_phases, without_phases
from napari_ubam.analysis.figures import (
    plot_deviation,
    plot_groups,
    plot_map,
    plot_pairs,
    plot_subjects,
    plot_training,
)
from napari_ubam.analysis.nuisances import describe_covariates
from napari_ubam.analysis.projection import project
from napari_ubam.analysis.report import Section, encode_figure, provenance_table, render_report
from napari_ubam.analysis.session_figures import plot_sessions
from napari_ubam.analysis.speed import never_changing, speeds_by_group
from napari_ubam.analysis.words import (
    WRITTEN,
    caveats,
    comparison_table,
    findings,
    how_to_read,
    in_digits,
    question,
)
from napari_ubam.errors import Problem
from napari_ubam.files import atomic_path, write_text
from napari_ubam.pipeline.comparing import session_scores
from napari_ubam.pipeline.stills import Still, draw_stills
from napari_ubam.progress import Progress, Report, silent
from napari_ubam.settings import ReportSettings
from napari_ubam.study import Study, read_embedding, read_provenance, read_result, read_run, result_fingerprint
from napari_ubam.study.state import backgrounds_differ, holding_subject


def make_report(study: Study, settings: ReportSettings | None = None, *, report: Report = silent) -> Path:
    """Write ``results/report.html``: what was found, with figures, in one file; and ``results/figures/``.

    Parameters
    ----------
    study : Study
        A study whose groups were compared.
    settings : ReportSettings, optional
        What it shows.
    report : callable, optional
        Told of the progress.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    StudyError
        If the groups were not compared yet.
    """
    settings = settings or ReportSettings()
    report(Progress("writing the report", 0, 1))
    subjects, frames = read_result(study, "subjects", "deviate"), read_result(study, "deviation", "deviate")
    groups, scores, overall, sessions, nuisances = (
        read_result(study, name, "compare") for name in ("groups", "scores", "groups_overall", "sessions", "nuisances")
    )
    known = [r for r in study.recordings if r.name in set(frames["recording"])]
    unread = [r for r in study.recordings if r not in known]
    left_out = [str(Problem(r.name, "it or its embedding could not be read")) for r in unread]
    recordings = read_result(study, "recordings", "deviate")
    provenance = {r.name: read_provenance(study, r.name) for r in known}
    held = holding_subject(study, {name: about.get("is_empty") for name, about in provenance.items()})
    problems = [*left_out, *never_changing(recordings), *([backgrounds_differ(held)] if held else [])]
    codes = [read_embedding(study, r.name).posture for r in known]
    labels = [r.group for r, code in zip(known, codes, strict=True) for _ in code]
    names = [r.name for r, code in zip(known, codes, strict=True) for _ in code]
    fps = {name: float(about.get("fps", 0)) for name, about in provenance.items()}
    most = frames.groupby("recording")["deviation"].mean().sort_values(ascending=False).index[:6]
    normal = frames.loc[frames["group"] == study.reference, "deviation"].quantile(0.95)
    stills, not_drawn = draw_stills(study, subjects, frames, settings, report=report)
    sections = [
        Section(
            "What was found",
            paragraphs=[question(subjects, study.reference)],
            items=findings(subjects, groups, study.reference, overall=overall, sessions=sessions),
        ),
        Section("Subjects", figure=plot_subjects(subjects, study.reference), table=subjects),
        Section(
            "Groups",
            figure=plot_groups(scores, groups, study.reference) if len(groups) else None,
            table=comparison_table(groups),
        ),
        *_moments(study, stills, not_drawn, settings),
        *_phases(study),
        *_sessions(study, frames, sessions),
        *_classified(study),
        *_related(study),
        Section(
            "Deviation over time",
            paragraphs=["The six recordings that deviate most. Unreliable parts are grey."],
            figure=plot_deviation(frames, list(most), fps=fps, normal=normal),
        ),
        Section(
            "Map of postures",
            figure=plot_map(project(np.concatenate(codes), recordings=np.array(names)), labels, study.reference),
            caption="Principal components of the posture codes, every recording's mean taken off.",
        ),
        Section(
            "Recordings",
            paragraphs=[
                "Groups that were filmed at other rates, or move faster, can differ for that reason too. Speed: how "
                "fast postures change, in units of the code a second."
            ],
            table=speeds_by_group(recordings),
            caption="Median of each group's recordings, with the lowest and highest.",
        ),
        *_checked(study),
        Section("How to read it", paragraphs=how_to_read(study.reference)),
        Section("Caveats", items=_caveats(study, subjects, groups, frames, nuisances, problems)),
        Section("Training", figure=plot_training(pd.read_csv(study.models_folder / "training.csv"))),
        Section("How it was made", table=provenance_table({"study": study.settings.model_dump()} | read_run(study))),
    ]
    for section in sections:
        _write_figure(study, section)
    path = study.results_folder / "report.html"
    write_text(path, render_report(f"Deviation from {study.reference}", sections))
    report(Progress("writing the report", 1, 1))
    return path


def _write_figure(study: Study, section: Section) -> None:
    """Write a section's figure, for slides and papers."""
    if section.figure is None:
        return
    for kind, content in (("png", section.png), ("svg", encode_figure(section.figure, "svg"))):
        with atomic_path(study.results_folder / "figures" / f"{section.file_name}.{kind}") as temporary:
            temporary.write_bytes(content)


def _moments(
    study: Study, stills: list[Still], not_drawn: list[Problem], settings: ReportSettings
) -> list[Section]:  # fmt: skip
    """Show the frames in which subjects deviate most."""
    if not stills and not not_drawn:
        return []
    text = [
        "The subjects of other groups that deviate most, each in the frame in which it does, and last the subject of "
        f"the group {study.reference} that does: as filmed, with the deviation multiplied by {settings.factor:g}, and "
        "where it deviates. Up to what reference subjects show, nothing glows."
    ]
    if study.settings.people and not settings.show_faces:
        text.append(
            "People are shown as coarse blocks, so that nobody is recognised. Look at the pictures before you pass "
            "them on: a region that shows little but a face may still show too much of it."
        )
    pictures = [(still.picture, still.caption) for still in stills]
    return [Section("Moments", paragraphs=text, items=[str(p) for p in not_drawn], pictures=pictures)]


def _phases(study: Study) -> list[Section]:
    """Show at which points of the cycle subjects deviate; nothing where nobody moves periodically."""
    phases, cycles = read_result(study, "phases", "compare"), read_result(study, "cycles", "compare")
    if phases.empty:
        return []
    period = cycles.loc[cycles["note"].isna(), "period"].median()
    text = (
        f"The movement repeats itself, every {in_digits(period)} s (median). Each frame has a phase, the same for all "
        f"subjects; 0 is where what swings most in the group {study.reference} is furthest out."
    )
    return [
        Section(
            "Deviation over the cycle",
            paragraphs=[text],
            items=[*beyond_by_phase(phases, study.reference), *without_phases(cycles)],
            figure=plot_phases(phases, study.reference),
            caption=f"Thin lines are subjects, thick ones their groups' means. Shaded: 9 of 10 {study.reference} "
            "subjects.",
        )
    ]


def _caveats(
    study: Study, subjects: pd.DataFrame, groups: pd.DataFrame, frames: pd.DataFrame, nuisances: pd.DataFrame,
    problems: list[str],
) -> list[str]:  # fmt: skip
    return caveats(
        subjects, groups, frames=frames, covariates=_covariates(study), nuisances=nuisances, problems=problems
    )


def _sessions(study: Study, frames: pd.DataFrame, sessions: pd.DataFrame) -> list[Section]:
    """Show how subjects change between sessions; nothing where nobody has two."""
    if sessions.empty:
        return []
    trends, changes, recovery = (read_result(study, n, "compare") for n in ("trends", "change_points", "recovery"))
    scores = session_scores(frames, read_result(study, "recordings", "deviate"))
    text = (
        "Only subjects who have both sessions count. Limits are 95 % bootstrap limits over subjects; p is of signed "
        "ranks whose signs are flipped."
    )
    shown = [column for column in sessions if column not in ("mean_session", "mean_baseline", "rank_biserial")]
    tested = sessions.loc[sessions["p_value"].notna(), shown].replace({"measure": WRITTEN})
    if len(tested) < len(sessions):
        text += f" Not tested: {len(sessions) - len(tested)} pairs of sessions which fewer than two subjects have."
    found = [
        Section(
            "Sessions",
            paragraphs=[text],
            figure=plot_sessions(scores, study.reference),
            caption="Thin lines are subjects, thick ones their groups' means.",
            table=tested if len(tested) else None,
        )
    ]
    further = {
        "Trends over days": (
            trends,
            "Slope of the deviation a day, with 95 % limits; p is of the subjects' own slopes.",
        ),
        "Change points": (
            changes,
            "After which session a subject's deviation is on another level. p is right where, without a change, one "
            "session says nothing of the next, and allows for some drift; where each session is much like the one "
            "before (correlated by 0.5), 9 of 100 subjects without any change still reach 0.05. p independent does "
            "not allow for a drift: then 20 of 100 do.",
        ),
        "Recovery": (
            recovery,
            "The last session's behaviour against the subject's own first session (its baseline): how much is left of "
            "what changed in the session that differs most, and how far it moves aside of that, in another way.",
        ),
    }
    return found + [Section(h, paragraphs=[text], table=table) for h, (table, text) in further.items() if len(table)]


def _classified(study: Study) -> list[Section]:
    """Show how well unseen subjects are classified."""
    table, confusion, clips = (read_result(study, name, "compare") for name in ("classification", "confusion", "clips"))
    shown = ["features", "model", "n_subjects", "accuracy", "balanced_accuracy", "auc", "auc_low", "auc_high",
             "p_value", "smallest_p", "shuffled_accuracy", "note"]  # fmt: skip
    text = (
        "Linear classifiers, each tried on subjects that it never saw, their strength chosen within those that it saw. "
        "Baselines need no trained network: posture is worth what it adds to them. Shuffled: mean balanced accuracy "
        "with labels drawn by lot, which should be near chance."
    )
    sections = [Section("Classification of unseen subjects", paragraphs=[text], table=table[shown])]
    first = table.iloc[0]
    own = confusion[(confusion["features"] == first["features"]) & (confusion["model"] == first["model"])]
    if len(own) and np.isfinite(first["accuracy"]):
        counts = own.pivot(index="group", columns="predicted", values="subjects").reset_index()
        counts.columns = ["group", *(f"predicted {group}" for group in counts.columns[1:])]
        sections.append(Section("Who is taken for whom", table=counts, caption=f"Subjects, by {first['model']}."))
    if len(clips):
        caption = "Clips that are least (highest) and most (lowest) like the reference group, one a subject at most."
        sections.append(Section("Typical clips", table=clips, caption=caption))
    return sections


def _related(study: Study) -> list[Section]:
    """Show what behaviour is related to: covariates, and intervals in which something was on."""
    covariates, overall, own = (
        read_result(study, name, "compare") for name in ("covariates", "intervals_overall", "intervals")
    )
    sections = []
    if len(covariates):
        text = "Predicted from the behaviour of subjects that were never seen; p is one-sided, of shuffled values."
        sections.append(Section("Related covariates", paragraphs=[text], table=covariates))
    if len(own):
        text = (
            "How well on is told from off: within subjects by other stretches of their time, and in unseen subjects by "
            "all others. p: of intervals that are moved round the recordings by lot."
        )
        sections.append(Section("On and off", paragraphs=[text], table=overall))
        sections.append(Section("On and off by subject", table=own))
    return sections


def _checked(study: Study) -> list[Section]:
    """Show what `check` found; nothing if it was not run on these deviations."""
    run = read_run(study).get("check", {})
    if not run or run.get("of") != result_fingerprint(study, "deviation"):
        return []
    subjects, groups = (read_result(study, name, "check") for name in ("magnification", "magnification_groups"))
    abnormal = {
        "by the posture encoder": ("posture_before", "posture_after"),
        "by the silhouette's pixels": ("pixels_before", "pixels_after"),
    }
    rate = f"{100 * run['error_rate']:g} %"
    return [
        Section(
            "Frames that deviate importantly",
            figure=plot_subjects(subjects, study.reference, measure="important", label="share of the frames [%]"),
            caption=f"Frames beyond the deviation that other {study.reference} subjects exceed in {rate} of theirs.",
        ),
        Section(
            "What magnifying changes",
            figure=plot_pairs(
                subjects, {f"deviation × {run['factor']:g}": ("inside", "outside")}, study.reference,
                names=("inside the subject", "outside"), label="mean squared change [1e-4]",
            ),
            caption="Thin lines are subjects, thick ones their groups. Outside the subject nothing should change.",
        ),
        Section(
            "Abnormal frames before and after magnification",
            paragraphs=[
                "Frames were encoded anew from their pixels, in two ways. A one-class support vector machine that "
                f"never saw the subject, trained on other {study.reference} subjects, says which are abnormal. "
                f"Subjects of the group {study.reference} should stay as they are, others become clearer. Shuffled: "
                f"the mean where it was drawn by lot, {run['n_shuffles']} times, who belongs to that group.",
            ],
            figure=plot_pairs(
                subjects, abnormal, study.reference, names=("before", "after"), label="abnormal frames [%]"
            ),
            table=groups,
            caption="Thin lines are subjects, thick ones their groups.",
        ),
    ]  # fmt: skip


def _covariates(study: Study) -> pd.DataFrame | None:
    """Describe how groups differ in the table's further columns; None where there are none."""
    names = list(dict.fromkeys(name for r in study.recordings for name in r.covariates))
    if not names:
        return None
    first = {r.subject: r for r in reversed(study.recordings)}
    table = pd.DataFrame([{"group": r.group, **{n: r.covariates.get(n, "") for n in names}} for r in first.values()])
    return describe_covariates(table, study.reference, names)
