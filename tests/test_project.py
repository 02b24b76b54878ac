"""The project itself: what may import what, and documents that say what is so."""

import ast
import importlib.util
import re
import shlex
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from glacier_inversion import __version__
from glacier_inversion.cli import main
from glacier_inversion.experiment.consistency import architectures
from glacier_inversion.experiment.derivation import find_derivations
from glacier_inversion.experiment.experiment import json_schema, load_application
from tests.helpers import COMMANDS, README, ROOT, WRITTEN

DOCS = ROOT / "docs"


def test_help_imports_nothing_heavy():
    "So it is instant: tests/benchmarks/startup.py measures it."
    code = (
        "import sys\nfrom glacier_inversion.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'numpy', 'torch', 'rasterio', 'pydantic', 'pyproj', 'fiona', 'tqdm'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert b"build-dataset" in done.stdout
    assert done.stderr.strip() == b"[]"


# A command that is read without its group remembers to have no -h.
GROUP = click.Context(main, **main.context_settings)


@pytest.mark.parametrize("name", sorted(main.commands))
def test_command_has_help_and_is_documented(name):
    "Each of them, by hand and not only by its help."
    assert main.commands[name].help
    assert f"ginv {name}" in WRITTEN


@pytest.mark.parametrize("name", sorted(main.commands))
def test_options_that_only_one_command_has_are_documented(name):
    "By hand, too: what they are for."
    common = {"help", "quiet", "verbose", "workspace"}
    for option in main.commands[name].params:
        if isinstance(option, click.Option) and option.name not in common:
            assert option.opts[0] in WRITTEN


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_documented_commands_can_be_read(command, tmp_path, monkeypatch):
    "Else a reader who copies one gets its usage. The slow tests run them, too."
    monkeypatch.chdir(tmp_path)
    (tmp_path / "exp.json").touch()
    _, name, *words = command.partition(" > ")[0].split()
    main.commands[name].make_context(name, words, parent=GROUP)


def test_links_lead_somewhere():
    "Those of README within the repository; mkdocs looks at those of the pages."
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert len(links) > 15
    local = [link for link in links if not link.startswith("https://")]
    assert [link for link in local if not (ROOT / link).exists()] == []
    assert {f"docs/{path.name}" for path in DOCS.glob("*.md")} - {
        "docs/index.md"
    } <= set(local)


def test_the_command_that_ci_runs_is_in_the_readme():
    "On a line of its own, as is the first that users run."
    lines = README.splitlines()
    assert 'pip install -e ".[test]" && pytest -n auto' in lines
    assert "pip install . && ginv demo" in lines


def help_of(*words):
    """Return the lines of a help, as a terminal of 80 columns shows it."""
    result = CliRunner().invoke(main, [*words, "--help"], terminal_width=80)
    assert result.exit_code == 0
    return result.output.splitlines()


def test_summaries_of_commands_are_whole():
    "On a line of their own, none of them cut."
    lines = help_of()
    lines = lines[lines.index("Commands:") + 1 :]
    summaries = lines[: lines.index("")]
    assert [line.split()[0] for line in summaries] == sorted(main.commands)
    assert all(line.endswith(".") and "..." not in line for line in summaries)


@pytest.mark.parametrize("name", sorted(main.commands))
def test_help_shows_an_example_that_is_accepted(name, tmp_path, monkeypatch):
    "Each of them, options included; no line is longer than the terminal."
    lines = help_of(name)
    assert max(map(len, lines)) <= 80
    examples = [line.split("  ")[2] for line in lines if line.startswith("    ginv ")]
    assert examples
    monkeypatch.chdir(tmp_path)
    (tmp_path / "exp.json").touch()
    for example in examples:
        words = shlex.split(example.partition(" >")[0])
        assert words[:2] == ["ginv", name]
        main.commands[name].make_context(name, words[2:], parent=GROUP)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "experiments").rglob("*.json")), ids=lambda p: p.stem
)
def test_shipped_experiment_loads(path, caplog):
    "Without a warning, and with a README beside it."
    load_application(path)
    assert caplog.text == ""
    assert (path.parent / "README.md").exists()


def test_class_variables_have_types():
    "Without, pydantic cannot read a model in Python 3.10."
    found = {
        f"{path.name}: {line.strip()}"
        for path in (ROOT / "glacier_inversion").rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r": ClassVar\b(?!\[)", line)
    }
    assert found == set()


def test_what_contributors_look_for_is_where_they_are_told():
    "Each path, below the package or beside it; in the table of places below it."
    text = (ROOT / ".github/CONTRIBUTING.md").read_text(encoding="utf-8")
    told, table = text.split("## Where is it?")
    places = re.findall(r"`([\w/]+\.py)`", table)
    assert len(places) > 30
    assert [p for p in places if not (ROOT / "glacier_inversion" / p).exists()] == []
    named = re.findall(r"`(\w+/[\w/]+\.py)`", told)
    assert len(named) > 20
    roots = ROOT, ROOT / "glacier_inversion"
    assert [
        p for p in named if "NAME" not in p and not any((r / p).exists() for r in roots)
    ] == []


def test_what_contributors_are_told_to_extend_is_there():
    "Each test and each fixture that is named."
    text = (ROOT / ".github/CONTRIBUTING.md").read_text(encoding="utf-8")
    tests = "\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py")
    )
    named = re.findall(r"`(test_\w+|without_\w+)`", text)
    assert named
    assert [name for name in named if f"def {name}(" not in tests] == []


def test_the_citation_is_of_this_version():
    "And of the licence that the package declares."
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {__version__}\n" in citation
    (licence,) = re.findall(r"^license: (.+)$", citation, re.MULTILINE)
    assert f'license = "{licence}"' in (ROOT / "pyproject.toml").read_text("utf-8")


def generated():
    """The hook that fills pages of the documentation."""
    spec = importlib.util.spec_from_file_location("generated", DOCS / "generated.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pages():
    """The pages of the documentation as they are built, by name."""
    hook = generated()
    return {
        path.stem: hook.on_page_markdown(path.read_text(encoding="utf-8"))
        for path in DOCS.glob("*.md")
    }


def test_the_reference_has_every_key_of_the_experiment_file():
    "With its meaning, in the section that it is in; and every operation."
    page = pages()["experiment"]
    schema = json_schema()
    sections = page[page.index("## Reference") :].split("\n### ")
    for part in [schema, *schema["$defs"].values()]:
        (section,) = (s for s in sections if f"\n\n{part['description']}\n" in s)
        for name, key in part["properties"].items():
            (row,) = re.findall(
                rf"^\| `{re.escape(name)}` \|.*$", section, re.MULTILINE
            )
            assert key.get("description", "") in row
            for value in key.get("enum", []):
                assert f"`{value}`" in row
    operations = schema["$defs"]["Branch"]["properties"]["operations"]["items"]
    for name in operations["discriminator"]["mapping"]:
        assert re.search(rf"### Operations? .*`{name}`", page)
    for name in find_derivations():
        assert f"### Derived raster `{name}`" in page
    for name in architectures():
        assert f"**`{name}`**" in page


def test_every_page_is_in_the_navigation():
    "So that readers find it."
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert set(re.findall(r": (\w+\.md)$", text, re.MULTILINE)) == {
        path.name for path in DOCS.glob("*.md")
    }


def texts_of_the_package():
    """All texts in the code, with \0 where a value comes in."""
    for path in (ROOT / "glacier_inversion").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
            if isinstance(node, ast.JoinedStr):
                yield "".join(
                    part.value if isinstance(part, ast.Constant) else "\0"
                    for part in node.values
                )


def test_messages_that_are_explained_are_those_of_the_program():
    "Each heading of the page that quotes one, three dots standing for values."
    text = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    quoted = re.findall(r"^### `(.+)`$", text, re.MULTILINE)
    assert len(quoted) > 30
    said = "\n".join(texts_of_the_package())
    for message in quoted:
        for part in message.split(" ... "):
            assert part in said, message
