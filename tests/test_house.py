"""The house itself: its rooms, its pins, its workflow."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import nbval.kernel
import pytest
from check_jsonschema import main as check_jsonschema

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "code" / "upconv"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]

# A module imports only from rooms that stand before it.
ROOMS = [
    "geometry",
    "definition",
    "matrix",
    "timing",
    "fastest",
    "cost",
    "forms",
    "resample",
    "pooling",
    "factor",
    "checkerboard",
    "layers",
    "fusion",
    "frameworks",
    "records",
    "peers",
    "bench",
    "__main__",
    "book",
]


def python(code, **options):
    """Runs a line of Python at the root, where `code` is a folder."""
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, **options
    )


def test_the_standard_library_keeps_its_module_named_code():
    done = python("import code; code.InteractiveConsole; print(code.__file__)", check=True)
    assert not Path(done.stdout.strip()).is_relative_to(ROOT)


def test_pdb_starts_at_the_root():
    done = python("import pdb; pdb.set_trace(); print('went on')", input="p 6 * 7\nc\n", check=True)
    assert "42" in done.stdout
    assert "went on" in done.stdout


def test_an_ipython_kernel_starts_at_the_root():
    kernel = nbval.kernel.RunningKernel("python3", cwd=str(ROOT))
    try:
        kernel.await_reply(kernel.execute_cell_input("import code; code.interact"), timeout=60)
    finally:
        kernel.stop()


def pins():
    """Name and version of every line of requirements.txt that is not a comment."""
    lines = (ROOT / "requirements.txt").read_text("utf8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_every_pin_has_one_version_and_a_reason():
    for line in pins():
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]* +# \S.*", line), line


def test_the_pins_are_the_packages_that_the_project_names():
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    named = [name for group in groups for name in group]
    assert sorted(named) == sorted(line.split("==")[0] for line in pins())


@pytest.mark.parametrize("line", pins(), ids=lambda line: line.split()[0])
def test_the_pinned_version_is_the_installed_one(line):
    name, pinned = line.split()[0].split("==")
    if name not in PROJECT["optional-dependencies"]["lab"]:  # which `make test` does without
        assert metadata.version(name).split("+")[0] == pinned  # +cpu, +cu130: a build of torch


def imports(path):
    """The modules of upconv that a file imports, anywhere in it, and the other packages."""
    ours, others = set(), set()
    for node in ast.walk(ast.parse(path.read_text("utf8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the room"
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            first, *rest = name.split(".")
            if first != "upconv":
                others.add(first)
            elif rest and rest[0] in ROOMS:
                ours.add(rest[0])
    return ours, others


MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


def room(path):
    """The room in which a file of the package stands."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_every_room_is_known():
    assert {room(path) for path in MODULES} <= set(ROOMS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_rooms_before_its_own(path):
    ours, _ = imports(path)
    allowed = ROOMS[: ROOMS.index(room(path)) + 1]
    assert ours <= set(allowed)


@pytest.mark.parametrize("name", ["geometry.py", "definition.py", "matrix.py"])
def test_the_judges_never_import_torch(name):
    assert not imports(PACKAGE / name)[1] & {"torch", "keras"}


@pytest.mark.parametrize("module", ["upconv", "upconv.definition", "upconv.matrix"])
def test_importing_does_not_load_torch(module):
    done = python(f"import sys, {module}; print('torch' in sys.modules)", check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("page", ["README.md", "book/index.md"])
def test_the_code_that_shows_the_package_runs(page):
    text = (ROOT / page).read_text("utf8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        python(block, check=True)


def tracked():
    """The text files of the repository."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    suffixes = {"", ".cff", ".css", ".md", ".py", ".toml", ".txt", ".yml", ".bib", ".html"}
    return [path for path in paths if path.suffix in suffixes and path.is_file()]


def test_no_file_names_a_folder_of_somebodys_machine():
    folder = re.compile(r"(?<![\w.:/-])/(home|root|Users|work|tmp|mnt|opt)/[\w.-]")
    found = [path for path in tracked() if folder.search(path.read_text("utf8", errors="replace"))]
    assert found == []


def test_the_workflow_is_one_to_the_services_schema():
    with pytest.raises(SystemExit) as end:
        check_jsonschema(
            ["--builtin-schema", "vendor.github-workflows", ".github/workflows/check.yml"]
        )
    assert end.value.code == 0


def test_the_schema_refuses_a_broken_workflow(tmp_path):
    broken = tmp_path / "check.yml"
    workflow = (ROOT / ".github" / "workflows" / "check.yml").read_text("utf8")
    broken.write_text(workflow.replace("runs-on:", "runs_on:"))
    with pytest.raises(SystemExit) as end:
        check_jsonschema(["--builtin-schema", "vendor.github-workflows", str(broken)])
    assert end.value.code == 1
