"""What tests put where it does not belong: values, and ways to change a file."""

import copy
import json

from hypothesis import strategies as st

HUGE = [10**30, -(10**30), 1e308, -1e308, 5e-324, 2**63, 10**400, -0.0]
ODD_TEXT = [
    *("", " ", "\0", "..", "../x", "/", "a/b", "nul", "é", "\u202e", "\U0001f3d4"),
    *("x" * 5000, "NaN", "true", "{{x}}", "%s%n", "1e999", "\ud800"),
]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()  # NaN and infinity too
    | st.sampled_from(HUGE)
    | st.sampled_from(ODD_TEXT)
    | st.text(max_size=8)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner)
    ),
    max_leaves=6,
)
DEEP = st.integers(50, 200).map(lambda n: json.loads("[" * n + "]" * n))


def places(value, path=()):
    """Return the ways to the values in a file, not to all of long lists."""
    inner = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list) and len(path) < 12:
        inner = list(enumerate(value[:20]))
    return [path, *(p for key, v in inner for p in places(v, (*path, key)))]


def at(content, path):
    for key in path:
        content = content[key]
    return content


@st.composite
def mutated(draw, contents, more_keys=()):
    """One of several contents of JSON files, one to three of its values changed."""
    content = copy.deepcopy(draw(st.sampled_from(contents)))
    for _ in range(draw(st.integers(1, 3))):
        ways = [path for path in places(content) if path]
        if not ways:
            break
        path = draw(st.sampled_from(ways))
        parent, key = at(content, path[:-1]), path[-1]
        what = draw(st.sampled_from(["replace", "remove", "copy", "wrap", "more"]))
        if what == "replace":
            parent[key] = draw(VALUES | DEEP)
        elif what == "remove":
            del parent[key]
        elif what == "copy":  # a value of another place
            parent[key] = copy.deepcopy(at(content, draw(st.sampled_from(ways))))
        elif what == "wrap":
            wrapped = draw(st.sampled_from([lambda v: [v], lambda v: {"name": v}]))
            parent[key] = wrapped(parent[key])
        elif isinstance(parent, dict):
            parent[draw(st.sampled_from([*ODD_TEXT, *more_keys]))] = draw(VALUES)
        else:
            parent += [copy.deepcopy(parent[key])] * draw(st.sampled_from([1, 2000]))
    return content


@st.composite
def damaged(draw, content):
    """The bytes of a file after an accident, or after somebody meant ill."""
    what = draw(st.sampled_from(["cut", "flip", "zeros", "put in", "twice", "noise"]))
    place = draw(st.integers(0, max(len(content) - 1, 0)))
    length = draw(st.sampled_from([1, 4, 64, 4096]))
    if what == "cut":
        return content[:place]
    if what == "flip":
        changed = bytearray(content)
        for _ in range(draw(st.integers(1, 8))):
            where = draw(st.integers(0, max(len(content) - 1, 0)))
            changed[where : where + 1] = bytes([draw(st.integers(0, 255))])
        return bytes(changed)
    if what == "zeros":
        return content[:place] + bytes(length) + content[place + length :]
    if what == "put in":
        return content[:place] + draw(st.binary(max_size=length)) + content[place:]
    if what == "twice":
        return content + content
    return draw(st.binary(max_size=200))


@st.composite
def mixed_up(draw, content):
    """The bytes of a file, two blocks of which change places."""
    size = draw(st.sampled_from([64, 512, 4096]))
    blocks = [content[i : i + size] for i in range(0, len(content), size)] or [b""]
    first, second = (draw(st.integers(0, len(blocks) - 1)) for _ in "ab")
    blocks[first], blocks[second] = blocks[second], blocks[first]
    return b"".join(blocks)


class File:
    """A file as it will be; it lies in the test's folder when a test fails."""

    def __init__(self, name, content):
        self.name, self.content = name, content

    def __repr__(self):
        """Return what hypothesis can print, which refuses long texts."""
        return f"{self.name} of {len(self.content)} bytes"


@st.composite
def files(draw, name, contents):
    """A file of a name that holds one of *contents*."""
    return File(name, draw(contents))
