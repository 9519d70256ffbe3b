"""Which candidates a row is searched over."""

from tests.flows.pipeline.drawn import RATES, compared


def test_the_learning_rate_is_searched_at_the_middle_cell_then_used_in_all(small):
    _, stages = small
    for draw in stages.draws:
        search = draw.searches["GradMix"]
        assert [training.inputs["learning_rate"] for training in search] == list(RATES)
        assert {training.inputs["settings"]["beta"] for training in search} == {10.0}
        assert {training.inputs["settings"]["gamma"] for training in search} == {0.4}
        (rate,) = {cell.inputs["learning_rate"] for cell in draw.cells.values()}
        assert rate.inputs["candidates"] == tuple(search)
        assert rate.inputs["r"] == 1


def test_one_learning_rate_is_not_searched(demo):
    submitted, stages = demo
    assert [draw.searches["GradMix"] for draw in stages.draws] == [[]] * 3
    cells = [cell for draw in stages.draws for cell in draw.cells.values()]
    assert {cell.inputs["learning_rate"] for cell in cells} == {0.05}
    assert not [box for box in submitted if "GradMix learning rate" in box.label]


def test_without_a_search_rows_keep_the_settings_that_they_have(whole_demo):
    _, stages = whole_demo
    for draw in stages.draws:
        (mdda,) = draw.searches["MDDA"]
        assert mdda.inputs["settings"] == {}
        assert not {"GradMix w/ VAT", "Joint w/ hard label"} & draw.searches.keys()
        best = draw.ensembles[3].top
        assert draw.rows["Joint w/ hard label"].inputs["learning_rate"] is best


def test_settings_are_searched_in_every_combination_with_the_learning_rates(small):
    _, stages = small
    for draw in stages.draws:
        found = [
            (training.inputs["settings"]["entropy_weight"], training.inputs["learning_rate"])
            for training in compared(draw.rows["MDDA"])
        ]
        assert found == [(weight, 0.02) for weight in (0.02, 0.1, 0.5)]
        assert draw.searches["MDDA"] == compared(draw.rows["MDDA"])
        assert draw.searches["MDDA"][1].label.endswith(": MDDA entropy_weight=0.1 lr=0.02")


def test_a_final_models_settings_are_searched_at_the_first_stages_learning_rate(small):
    _, stages = small
    for draw in stages.draws:
        found = compared(draw.rows["GradMix w/ VAT"])
        assert [training.inputs["settings"] for training in found] == [
            {"epsilon": epsilon} for epsilon in (2.5, 5.0, 12.0)
        ]
        assert {training.inputs["learning_rate"] for training in found} == {draw.ensembles[3].top}
        assert draw.searches["GradMix w/ VAT"] == found


def test_a_final_model_may_have_learning_rates_of_its_own(small):
    _, stages = small
    for draw in stages.draws:
        found = compared(draw.rows["Joint w/ hard label"])
        assert tuple(training.inputs["learning_rate"] for training in found) == RATES
        assert {training.inputs["choice"] for training in found} == {draw.ensembles[3].top}


def test_every_row_but_the_grids_has_three_candidates(small):
    _, stages = small
    for draw in stages.draws:
        counts = {name: len(compared(row)) for name, row in draw.rows.items()}
        assert counts.pop("GradMix") == 4
        assert set(counts.values()) == {3}
