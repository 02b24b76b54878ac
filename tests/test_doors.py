"""One door each: which modules may read, write, remove, end the process."""

import ast

import pytest

from tests.package import MODULES
from tests.path_joins import find_joins, is_constant, loops_over_constants, parse

# What a call is named by, its last words, and the modules that may make it.
DOORS = {
    "removes or moves files": (
        {"unlink", "rename", "rmdir", "rmtree", "os.remove", "os.replace", "touch"},
        {"files"},
    ),
    "makes links": ({"symlink_to", "hardlink_to", "os.link", "os.symlink"}, set()),
    "makes folders": (
        {"mkdir", "makedirs"},
        {"files", "demo.observations"},  # into a folder that files.py is making
    ),
    "makes scratch folders": (
        {"mkdtemp", "mkstemp", "TemporaryDirectory", "NamedTemporaryFile"},
        set(),
    ),
    "writes tables by libraries": (
        {"to_file", "to_parquet", "write_dataframe"},
        {"geodata.vectors", "demo.observations"},  # the one into memory
    ),
    "writes rasters by libraries": (
        {"shutil.copy"},
        {"geodata.geotiffs", "geodata.map_files"},  # the latter into memory
    ),
    "writes weights by libraries": (
        {"torch.save", "save_file"},
        # into memory; samples into a scratch file
        {"training.checkpoint", "training.model.members", "training.samples_on_disk"},
    ),
    "writes text": ({"write_text", "writelines"}, set()),
    "opens rasters": (
        {"rasterio.open", "gdal.Open"},
        {"geodata.geotiffs", "geodata.map_files"},  # the latter in memory
    ),
    "opens vector files": (
        {"fiona.open", "read_file", "read_dataframe"},
        # what evaluate and the demo wrote themselves
        {
            "geodata.vectors",
            "geodata.point_tables",
            "evaluation.metrics_file",
            "demo.observations",
        },
    ),
    "reads tables of text": ({"read_csv"}, {"geodata.text_tables"}),
    "reads JSON": (
        {"json.load", "json.loads"},
        {
            "json_files",  # what users write
            "state_files",  # what commands write
            "sharing.ledger",  # likewise, a line of it
            "training.model.applicability",  # the header of an array file
            "training.model.members",
        },
    ),
    "reads pickles": (
        {"torch.load", "pickle.load", "pickle.loads", "np.load", "joblib.load"},
        # weights_only, tested below
        {"training.checkpoint", "training.samples_on_disk"},
    ),
    "ends the process": (
        {"sys.exit", "os._exit", "exit", "quit", "os.abort", "os.kill"},
        {
            *("commands.console", "commands.preparing", "__main__"),
            *("machine.interrupts", "machine.crashes"),
            "sharing.processes",
        },
    ),
    "runs other programs": (
        {"subprocess.run", "Popen", "os.system", "os.execv"},
        {"__main__"},  # this one again
    ),
}


def calls(module):
    """Yield the calls that a module makes, each by its dotted name."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def is_named(call, names):
    """Tell whether a call has one of the names, which may hold their last word alone."""
    words = call.split(".")
    return any(words[-len(name.split(".")) :] == name.split(".") for name in names)


@pytest.mark.parametrize("door", DOORS)
def test_one_door_each(door):
    "Else what one module promises is not kept by another; and no door is for nothing."
    names, allowed = DOORS[door]
    found = {
        module.removeprefix("glacier_inversion.")
        for module in MODULES
        if any(is_named(call, names) for call, _ in calls(module))
    }
    assert found == allowed


def mode_of(call, node):
    """Return the mode of a call that opens a file, as `open` and `Path.open` have it."""
    place = 1 if call == "open" else 0
    modes = [word.value for word in node.keywords if word.arg == "mode"]
    mode = (node.args[place : place + 1] or modes or [ast.Constant("r")])[0]
    return mode.value if isinstance(mode, ast.Constant) else "?"


def test_files_are_opened_for_writing_in_one_module():
    "But for the streams of the process, and locks and scratches, which files.py makes."
    found = {
        module.removeprefix("glacier_inversion.")
        for module in MODULES
        for call, node in calls(module)
        if is_named(call, {"open"})
        and not is_named(call, {"fiona.open", "os.open"})
        and (is_named(call, {"rasterio.open"}) or call == "open" or "path" in call)
        and set(str(mode_of(call, node))) & set("wax+?")
    }
    # images are written and read again, feature by feature
    streams = {"commands.streams", "training.data"}
    streams |= {"geodata.geotiffs", "geodata.map_files"}
    assert found <= {"files", *streams}, found


def test_pickles_run_no_code():
    "Weights alone are read of them."
    for module in MODULES:
        for call, node in calls(module):
            if is_named(call, {"torch.load"}):
                words = {w.arg: ast.unparse(w.value) for w in node.keywords}
                assert words.get("weights_only") == "True", module


# Which modules join to paths what is no constant.
MAKE_PATHS = {
    "workspace",  # names of all kinds, each looked at
    # What a caller, or the command line, says a file or folder is.
    *("demo.demo", "experiment.experiment", "training.model.open_model"),
    "proposing.outlines",
    "proposing.applying",  # for the stem of a name, which nothing opens
    # What the system, or GDAL, says is there.
    *("machine.control_groups", "files", "geodata.archives", "geodata.vrts"),
}


def module_names_joined(trees):
    """Return the modules that join to paths what is no constant."""
    return {
        module
        for module, _, joined in find_joins(trees)
        if not is_constant(joined, loops_over_constants(trees[module]))
    }


def test_names_are_made_into_paths_in_one_module():
    "Else a name that leads out of its folder is looked at by one, not by another."
    trees = parse(MODULES)
    n_joins = sum(1 for _ in find_joins(trees))
    assert n_joins > 100, "paths are not recognized any more"
    found = module_names_joined(trees)
    assert {m.removeprefix("glacier_inversion.") for m in found} == MAKE_PATHS


@pytest.mark.parametrize(
    ("line", "is_refused"),
    [
        ("folder / feature", True),
        ("folder / f'{feature}.tif'", True),
        ("folder.parent / feature", True),
        ("folder.joinpath('a', feature)", True),
        ("folder.with_name(f'{feature}_mean.tif')", True),
        ("anything / f'{feature}.tif'", True),
        ("Path(feature)", True),
        ("os.path.join(folder, feature)", True),
        ("below(3) / feature", True),
        ("self.root / feature", True),
        ("own = folder / 'x'; own / feature", True),
        ("[path / feature for path in folder.glob('*')]", True),
        ("[path / feature for path in all_of_them]", True),
        ("[folder / name for name in features]", True),
        ("folder / SUMMARY / 'x.json'", False),
        ("folder / own.name", False),
        ("folder.with_name(f'.{folder.stem}.part{folder.suffix}')", False),
        ("[folder / name for name in (SUMMARY, 'x', *FILES)]", False),
        ("length / feature", False),
    ],
)
def test_names_that_are_joined_to_paths_are_found(line, is_refused):
    "In all the ways there are; division is none."
    code = f"""
class Place:
    root: Path
def below(n: int) -> Path: ...
def work(folder: Path, all_of_them: list[Path], feature: str, length: float):
    {line}
"""
    assert module_names_joined({"m": ast.parse(code)}) == (
        {"m"} if is_refused else set()
    )


def names_in(expression):
    """Return the names that an expression holds."""
    return {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)}


def test_what_nobody_foresaw_is_caught_in_one_module():
    "Elsewhere what is wrong with a file, or with a process, would pass for another."
    found = {
        module.removeprefix("glacier_inversion.")
        for module, tree in parse(MODULES).items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or names_in(node.type) & {"Exception", "BaseException"})
    }
    assert found == {
        "commands.console",
        *("sharing.executors", "training.workers"),  # it is raised in the other process
        "training.checkpoint",  # whatever others have put into a file
    }


def test_exit_codes_are_said_in_one_module():
    "By the class of an error; the commands say what it is once features failed."
    found = {
        module.removeprefix("glacier_inversion.")
        for module, tree in parse(MODULES).items()
        for node in ast.walk(tree)
        if (
            isinstance(node, ast.Assign) and "exit_code" in ast.unparse(node.targets[0])
        )
        or (isinstance(node, ast.Name) and node.id == "SystemExit")
        or (isinstance(node, ast.Attribute) and node.attr == "ClickException")
    }
    # the last one is that of processes of ours, for the command that has started them
    assert found == {"errors", "commands.console", "sharing.executors"}
