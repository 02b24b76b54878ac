"""JSON as files hold it: what parsers pass over is found, where it is."""

import json
import random

import pytest

from glacier_inversion.json_files import parse_json, write_path


def slips(text):
    """Return the paths of slips, with the first words on them."""
    return [(path, what.split(". ")[0]) for path, what in parse_json(text)[1]]


def made_up(rng, depth=0):
    """Return something that JSON can hold, keys and texts full of signs."""
    kind = rng.randrange(7 if depth < 4 else 4)
    texts = ['"', "\\", ",:", "{[", "NaN", "a", "\U0001f600", "]}\n"]
    if kind > 3:
        n = rng.randrange(4)
        if kind == 4:
            return [made_up(rng, depth + 1) for _ in range(n)]
        return {rng.choice(texts): made_up(rng, depth + 1) for _ in range(n)}
    return [rng.choice(texts), -1.5e-7, True, None][kind]


def test_whatever_is_json_is_read_without_a_slip():
    "As json does it, however it is laid out."
    rng = random.Random(0)
    for _ in range(300):
        content = made_up(rng)
        indent = rng.choice([None, 0, 2])
        text = json.dumps(content, indent=indent, ensure_ascii=rng.random() < 0.5)
        assert parse_json(text) == (content, [])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": {"b": 1, "c": 2}, "b": {"a": 1}, "c": [{"a": 1}, {"a": 1}]}', []),
        (
            '{"a": [0, {"b": 1,\n"c": 2,\n"b": 3, "d": 4, "b": 5}]}',
            [
                (
                    "a[1].b",
                    "line 3: the key stands twice in one object, also in line 1",
                ),
                (
                    "a[1].b",
                    "line 3: the key stands twice in one object, also in line 1",
                ),
            ],
        ),
        (
            r'{"a": 1, "\u0061": 2}',
            [("a", "line 1: the key stands twice in one object, also on it")],
        ),
        ("[1,\n\n-Infinity]", [("[1]", "line 3: -Infinity is no number of JSON")]),
        (r'["NaN", "\ud83d\ude00"]', []),
        (r'["\ude00\ud83d"]', [("[0]", r'line 1: "\ude00" is half a character')]),
        (r'{"\ud800": 1}', [(r'["\ud800"]', r'line 1: "\ud800" is half a character')]),
        (
            "[" + "1" * 500 + "]",
            [("[0]", f"line 1: {'1' * 20} and so on is a number of 500 digits")],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_slips_are_found_where_they_are(text, found):
    "With path and line, all of a text."
    assert slips(text) == found


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
@pytest.mark.parametrize("n", [101, 900, 100_000])
def test_what_is_too_deep_is_not_read(opening, n):
    "Whether json would read it or not."
    closing = {"[": "]", '{"a":': "}", '[{"a":': "}]"}[opening]
    content, found = parse_json(opening * n + "1" + closing * n)
    assert content is None
    (slip,) = found
    assert "nested deeper than 100 levels" in slip[1]
    assert slip[0].count("[0]") + slip[0].count("a") == 101 - (opening == '{"a":')


def test_keys_that_are_no_words_are_quoted_in_paths():
    "They cannot forge a line, or the colours of a terminal."
    assert write_path(["a", 0, "b c", "\x1b[31m", "\n"]) == (
        'a[0].b c["\\u001b[31m"]["\\n"]'
    )
