"""The package's front: every name is there, and none is imported unasked."""

import subprocess
import sys

import pytest

from tenphases import data


def test_every_name_can_be_had():
    assert set(data.__all__) <= {name for name in dir(data) if getattr(data, name)}
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = data.nonsense


def test_a_loader_imports_its_own_module_only():
    code = (
        "import sys\nfrom tenphases import data\ndata.penguins\n"
        "print(sorted(m for m in sys.modules if m.startswith('tenphases.data.')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "['tenphases.data.core', 'tenphases.data.tables']\n"
