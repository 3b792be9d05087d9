import numpy as np
import pandas as pd

from napari_ubam.analysis.groups import compare_all_groups, compare_groups
from napari_ubam.analysis.nuisances import compare_nuisances, describe_covariates
from napari_ubam.analysis.paired import compare_sessions
from napari_ubam.analysis.words import caveats, comparison_table, findings, how_to_read, question


def subjects(n_reference=4):
    return pd.DataFrame(
        {
            "subject": ["a", "b", "c", "d", "e", "x", "y", "z"],
            "group": ["healthy"] * 5 + ["impaired"] * 3,
            "deviation": [1.0, 1.1, 1.2, 1.3, 1.4, 5, 6, 1.05],
            "p_value": [1, 0.8, 0.6, 0.4, 0.2, 0.2, 0.2, 0.8],
            "n_reference": n_reference,
        }
    )


def test_the_question_counts_subjects_not_recordings():
    table = pd.concat([subjects(), subjects()])
    assert question(table, "healthy").startswith(
        "Do the subjects of impaired (3) move otherwise than those of healthy (5)?"
    )


def test_findings_name_who_stands_out():
    sentences = findings(subjects(), compare_groups(subjects(), "healthy"), "healthy")
    assert len(sentences) == 2
    assert "2 of 3 subjects of the group impaired are beyond every left-out healthy subject: y, x." in sentences[0]
    assert "probability 0.73" in sentences[1]


def test_p_values_that_were_read_from_a_table_name_the_same_subjects():
    table = subjects(12).assign(p_value=[float(f"{rank / 13:.6g}") for rank in (13, 10, 8, 6, 3, 1, 1, 10)])
    assert "2 of 3 subjects" in findings(table, compare_groups(table, "healthy"), "healthy")[0]


def test_findings_without_a_test():
    few = subjects().iloc[[0, 1, 2, 7]]
    sentence = findings(few, compare_groups(few, "healthy"), "healthy")[0]
    assert sentence.startswith("0 of 1 subject of the group impaired are beyond every left-out healthy subject.")
    assert "p =" not in sentence


def test_a_group_of_one_subject_is_not_compared_in_words():
    """An AUC of 1 with limits from 0.4 to 1 says nothing that the subject's own rank does not."""
    table = pd.concat([subjects(), pd.DataFrame([["s", "single", 7.0, 0.2, 4]], columns=subjects().columns)])
    table = table.assign(important=table["deviation"] * 3)
    comparison = compare_groups(table, "healthy", measures=("deviation", "important"))
    told = "\n".join(findings(table, comparison, "healthy"))
    assert "1 of 1 subject of the group single is beyond every left-out healthy subject: s." in told
    assert "one of healthy" in told
    assert "a subject of the group single scores" not in told
    found = caveats(table, comparison)
    assert sum("single (1) and healthy (5): a single subject cannot be tested" in text for text in found) == 1
    assert sum("fewer than 6 subjects, impaired (3) and healthy (5)" in text for text in found) == 1
    assert len(found) == len(set(found))


def test_caveats_say_what_cannot_be_shown():
    table = subjects()
    comparison = compare_groups(table.iloc[:7].drop(index=[2, 3, 4]), "healthy")
    frames = pd.DataFrame({"recording": ["r"] * 4 + ["s"] * 6, "reliable": [False] * 3 + [True] * 7})
    about = table.assign(age=[20, 21, 22, 23, 24, 60, 61, 62], sex=["f", "m", "f", "m", "f", "m", "f", "f"])
    covariates = describe_covariates(about, "healthy", ["age", "sex"])
    text = "\n".join(caveats(table, comparison, frames=frames, covariates=covariates, problems=["z was left out: x"]))
    assert "1/5 = 0.2" in text
    assert "takes 19 reference subjects" in text
    assert "impaired (2) and healthy (2), the smallest possible p in deviation is 0.333" in text
    assert "3 of 10 frames (30 %)" in text
    assert "r (75 %)" in text
    assert "differ in age" in text
    assert "differ in sex" not in text
    assert "z was left out: x" in text


def test_enough_subjects_and_sure_frames_need_no_caveat():
    frames = pd.DataFrame({"recording": ["r"], "reliable": [True]})
    text = "\n".join(caveats(subjects(30), compare_groups(subjects(), "healthy"), frames=frames))
    assert "takes 19" not in text
    assert "no good reference" not in text
    assert "1/31" in text


def test_notes_that_were_read_from_a_table_are_none_where_it_is_empty():
    comparison = compare_groups(subjects(), "healthy").assign(note=np.nan)
    assert "nan" not in "\n".join(caveats(subjects(), comparison))


def test_reference_subjects_are_ranked_among_one_less():
    table = subjects([12] * 5 + [13] * 3)
    assert "1/14 = 0.0714 (1/13 for a reference subject" in "\n".join(caveats(table, compare_groups(table, "healthy")))


def test_comparison_is_shortened():
    table = comparison_table(compare_groups(subjects(), "healthy"))
    row = table.iloc[0]
    assert row["groups (subjects)"] == "impaired (3), healthy (5)"
    assert row["medians"] == "5, 1.2"
    assert row["AUC (95 %)"].startswith("0.73 (0.")
    assert len(comparison_table(compare_groups(subjects().iloc[:5], "healthy"))) == 0


def test_how_to_read_names_the_reference_group():
    assert "controls" in how_to_read("controls")[0]


def test_enough_reference_subjects_allow_a_significance():
    table = subjects(19)
    table["p_value"] = [1, 0.8, 0.6, 0.4, 0.2, 0.05, 0.05, 0.8]
    sentence = findings(table, compare_groups(table, "healthy"), "healthy")[0]
    assert "2 of 3 subjects of the group impaired have a p-value of at most 0.05 among healthy subjects" in sentence
    assert "beyond every" not in sentence


def test_no_difference_shown_is_not_called_none():
    table = pd.concat([subjects(), subjects().assign(subject=lambda t: t["subject"] + "2")])
    table["deviation"] = range(len(table))
    sentence = findings(table, compare_groups(table, "healthy"), "healthy")[1]
    assert "does not say that there is none: groups of this size show one in 80 % of studies if the pro" in sentence


def test_all_groups_and_sessions_are_told_of():
    table = pd.concat([subjects(), subjects()[5:].assign(group="treated", subject=["p", "q", "r"])])
    sessions = pd.concat([table.assign(session="1"), table.assign(session="2", deviation=table["deviation"] + 1)])
    told = findings(
        table,
        compare_groups(table, "healthy"),
        "healthy",
        overall=compare_all_groups(table, "healthy"),
        sessions=compare_sessions(sessions),
    )
    assert len(told) == 2 * 2 + 1 + 1 + 3
    assert "subjects of the group treated" in told[2]
    assert "a subject of the group treated scores" in told[3]
    assert "higher than one of impaired" in told[4]
    assert "groups healthy, impaired, treated do not show a difference as a whole (Kruskal-Wallis" in told[5]
    assert "5 subjects of the group healthy changed from session 1 to 2 by 1 on average" in told[6]


def test_a_nuisance_that_separates_as_well_is_a_caveat():
    table = pd.DataFrame(
        {"subject": list("abcdefgh"), "group": ["healthy"] * 4 + ["impaired"] * 4, "deviation": range(8)}
    ).assign(p_value=1.0, n_reference=4, fps=[30] * 4 + [25] * 4)
    comparison = compare_groups(table, "healthy")
    text = "\n".join(caveats(table, comparison, nuisances=compare_nuisances(table, comparison, ["fps"])))
    assert "Fps separates impaired from healthy (AUC 1.00, p = 0.0" in text
    assert "it may be the reason" in text
    assert "Groups of fewer than 6 subjects, impaired (4) and healthy (4)" in text
