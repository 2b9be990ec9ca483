from mplus_eval.reports.explorer.packing import ITEMS_PER_BLOCK, packed
from tests.reports.explorer.unpacking import unpacked

HOSTILE = ["</script><script>1</script>", "\x00\x1b[31m\u2028\u202e", "\ud800 alone \udfff", '𝄞 é \\ " \n', "x" * 2**20]


def test_what_is_packed_comes_back() -> None:
    columns = {"ids": ["a", "b"], "state:base": "=w", "score:base": [1, None]}
    items = [{"q": text, "a": [{"l": [-0.5, None]}]} for text in HOSTILE]
    found = unpacked(packed(columns, HOSTILE, items))
    assert (found.columns, found.shared, found.items) == (columns, HOSTILE, items)


def test_nothing_that_html_could_read_is_left() -> None:
    text = packed({"ids": HOSTILE}, HOSTILE, HOSTILE)
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\n")


def test_blocks_hold_some_hundred_items_and_no_more_than_one_where_it_is_long() -> None:
    lines = packed({}, [], [{"q": n} for n in range(3 * ITEMS_PER_BLOCK + 1)]).split("\n")
    assert len(lines) == 1 + 4
    lines = packed({}, [], ["x" * 2**20, "y" * 2**20, "z"]).split("\n")
    assert len(lines) == 1 + 3


def test_the_same_is_packed_into_the_same_bytes() -> None:
    assert packed({"ids": HOSTILE}, HOSTILE, HOSTILE) == packed({"ids": HOSTILE}, HOSTILE, HOSTILE)


def test_an_example_that_all_items_share_is_packed_once() -> None:
    shots = [f"{n} " * 500 for n in range(5)]
    items = [{"q": str(n), "s": [0, 1, 2, 3, 4]} for n in range(1000)]
    assert len(packed({}, shots, items)) < 20_000
