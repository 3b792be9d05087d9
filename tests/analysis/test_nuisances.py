import numpy as np
import pandas as pd
import pytest

from napari_ubam.analysis.groups import compare_groups
from napari_ubam.analysis.nuisances import NUISANCE_COLUMNS, compare_nuisances, describe_covariates


def subjects(n: int = 8) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    groups = np.repeat(["healthy", "impaired"], n)
    impaired = groups == "impaired"
    return pd.DataFrame(
        {
            "subject": [f"s{i}" for i in range(2 * n)],
            "group": groups,
            "deviation": rng.normal(size=2 * n) + 1.5 * impaired,
            "fps": np.where(impaired, 25.0, 30.0),
            "seconds": rng.normal(60, 5, 2 * n),
            "camera": np.where(impaired, "new", "old"),
            "side": np.tile(["left", "right"], n),
            "room": "a",
        }
    )


def found(table: pd.DataFrame, nuisances: list[str]) -> pd.DataFrame:
    result = compare_nuisances(table, compare_groups(table, "healthy"), nuisances)
    assert tuple(result.columns) == NUISANCE_COLUMNS
    return result.set_index("nuisance")


def test_what_separates_the_groups_as_well_is_found():
    result = found(subjects(), ["fps", "seconds", "camera", "side"])
    assert result.loc[["fps", "camera"], "separation"].tolist() == [1, 1]
    assert result["as_well"].to_dict() == {"fps": True, "seconds": False, "camera": True, "side": False}
    assert result.loc["fps", "p_value"] < 0.01
    assert result.loc["side", "separation"] == 0.5


def test_a_group_that_scores_lower_is_warned_of_too():
    table = subjects().assign(deviation=lambda t: -t["deviation"])
    assert found(table, ["fps"]).loc["fps", "as_well"]


def test_many_categories_are_judged_by_chance():
    """Everybody has a room of its own: that parts the groups perfectly, but so it does any other labels."""
    table = subjects().assign(room=[f"r{i}" for i in range(16)])
    result = found(table, ["room"]).loc["room"]
    assert (result["separation"], result["p_value"], result["as_well"]) == (1, 1, False)


def test_nuisances_that_cannot_be_compared_are_said():
    table = subjects()
    table["fps"] = table["fps"].where(table["group"] == "healthy")
    result = found(table, ["fps", "room"])
    assert result["note"].tolist() == ["known of fewer than two subjects of a group", "the same in all subjects"]
    assert result["p_value"].isna().all()
    assert not result["as_well"].any()


def test_numbers_as_text_and_infinite_ones():
    table = subjects().assign(age=[str(i) for i in range(15)] + ["inf"])
    assert found(table, ["age"]).loc["age", "separation"] == pytest.approx(1)
    assert found(table, ["age"]).loc["age", "n_group"] == 7


def test_covariates_are_described_and_large_differences_marked():
    subjects = pd.DataFrame(
        {
            "group": ["healthy"] * 3 + ["impaired"] * 3,
            "age": ["30", "31", "32", "60", "61", ""],
            "sex": ["f", "m", "f", "f", "m", "f"],
            "room": ["a", "a", "a", "b", "b", "b"],
        }
    )
    result = describe_covariates(subjects, "healthy", ["age", "sex", "room"]).set_index("covariate")
    assert list(result.columns) == ["healthy", "impaired", "imbalance", "differs"]
    assert result.loc["age", "healthy"] == "31 ± 1"
    assert result.loc["sex", "impaired"] == "f 2, m 1"
    assert result["differs"].tolist() == [True, False, True]
    assert result.loc["room", "imbalance"] == 1
    assert len(describe_covariates(subjects, "healthy", [])) == 0
