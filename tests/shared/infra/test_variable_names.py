"""A misspelled name of a variable is noticed, and the variables of others are not."""

import pytest

from shared.infra.settings import Settings
from shared.infra.variable_names import list_misspelled_variables


@pytest.mark.parametrize("field", [name for name in Settings.model_fields if len(name) > 5])
def test_a_missing_letter_is_noticed(field: str) -> None:
    name = f"EVENKEEL_{field.upper()}"
    wrong = f"{name[:-2]}{name[-1]}"
    [sentence] = list_misspelled_variables({wrong: "1"})
    assert sentence == f"{wrong} is not a setting, so it has no effect. Did you mean {name}?"


@pytest.mark.parametrize("wrong", ["EVENKEEL_ULR", "EVENKEEL_PROT", "EVENKEL_PORT"])
def test_short_names_and_the_prefix_are_noticed(wrong: str) -> None:
    assert len(list_misspelled_variables({wrong: "1"})) == 1


@pytest.mark.parametrize(
    "name",
    [
        *(f"EVENKEEL_{field.upper()}" for field in Settings.model_fields),
        "EVENKEEL_URL",
        "EVENKEEL_API_MEMORY",
        "EVENKEEL_SERVICE_HOST",
        "EVENKEEL_PORT_8000_TCP",
        "HOME",
        "PORT",
    ],
)
def test_other_variables_are_left_alone(name: str) -> None:
    assert list_misspelled_variables({name: "1"}) == []
