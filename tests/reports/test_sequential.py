from mplus_eval.records.contrast import Sequential
from mplus_eval.reports.sequential import decided


def test_when_a_verdict_was_settled():
    def told(n_asked: int, settled: bool) -> str:
        return decided(Sequential(n_asked=n_asked, n_items=10_042, n_looks=4, settled=settled))

    assert told(2400, True) == "decided after 2,400 of 10,042 items"
    assert told(10_042, True) == "decided with all 10,042 items"
    assert told(10_042, False) == "not decided with all 10,042 items"
    assert told(2400, False) == "not decided after 2,400 of 10,042 items"
