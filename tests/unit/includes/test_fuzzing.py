import pytest

from fuzz import campaign, includes_expand, includes_parse


@pytest.mark.parametrize("target", [includes_expand, includes_parse], ids=lambda target: target.__name__)
def test_the_invariant_holds_for_a_few_inputs(target, monkeypatch):
    monkeypatch.setattr("fleetcc.includes.expansion.MAX_STEPS", 300)
    campaign.run(target.check, target.SEEDS, iterations=300, seed=1)
