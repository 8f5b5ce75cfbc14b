from hypothesis import given
from hypothesis import strategies as st

from libs.market.words import Words


@given(st.lists(st.text()))
def test_texts_come_back_and_their_codes_have_their_order(texts: list[str]) -> None:
    words = Words.of(texts)
    assert list(words) == texts
    assert sorted(words.codes.tolist()) == [words.codes[texts.index(one)] for one in sorted(texts)]


@given(st.lists(st.text(), min_size=1), st.data())
def test_a_part_has_the_same_names(texts: list[str], data: st.DataObject) -> None:
    at = data.draw(st.slices(len(texts)))
    assert list(Words.of(texts)[at]) == texts[at]
    assert Words.of(texts)[at].names is not None
