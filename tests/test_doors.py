"""One door each: which modules may read, write, remove, end the process."""

import ast

import pytest

from tests.package import MODULES

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
    "writes rasters by libraries": ({"shutil.copy"}, {"geodata.geotiffs"}),
    "writes weights by libraries": (
        {"torch.save", "save_file"},
        # into memory; the one of the workers into a scratch file
        {"training.checkpoint", "training.model.members", "training.workers"},
    ),
    "writes text": ({"write_text", "writelines"}, set()),
    "opens rasters": ({"rasterio.open", "gdal.Open"}, {"geodata.geotiffs"}),
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
            "training.model.applicability",  # the header of an array file
            "training.model.members",
        },
    ),
    "reads pickles": (
        {"torch.load", "pickle.load", "pickle.loads", "np.load", "joblib.load"},
        {"training.checkpoint", "training.workers"},  # weights_only, tested below
    ),
    "ends the process": (
        {"sys.exit", "os._exit", "exit", "quit", "os.abort", "os.kill"},
        {"commands.console", "__main__", "interrupts", "executors", "cli"},
    ),
    "runs other programs": (
        {"subprocess.run", "Popen", "os.system", "os.execv"},
        set(),
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
    assert found <= {"files", "commands.streams", "geodata.geotiffs"}, found


def test_pickles_run_no_code():
    "Weights alone are read of them."
    for module in MODULES:
        for call, node in calls(module):
            if is_named(call, {"torch.load"}):
                words = {w.arg: ast.unparse(w.value) for w in node.keywords}
                assert words.get("weights_only") == "True", module
