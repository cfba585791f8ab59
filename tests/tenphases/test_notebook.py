import builtins
import sys

import numpy as np
import pytest
import torch

from tenphases import glue

VALUES = [3, 0.1 + 0.2, -1e-7, True, None, "cpu", "10,000", "it's"]
ONE_ELEMENT = [torch.tensor(2.5), torch.tensor([[7]]), np.float32(0.5), np.int64(4)]


@pytest.fixture
def displayed(monkeypatch, tmp_path):
    """Start a shell and return a function that gives what a call displays."""
    pytest.importorskip("IPython")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output
    from traitlets.config import Config

    names = set(vars(builtins))
    config = Config({"HistoryManager": {"enabled": False}})
    shell = InteractiveShell.instance(config=config)

    def run(function, *args, **kwargs):
        with capture_output() as captured:
            function(*args, **kwargs)
        assert captured.stdout == "" and captured.stderr == ""
        return [(output.data, output.metadata) for output in captured.outputs]

    yield run
    shell.restore_sys_module_state()
    InteractiveShell.clear_instance()
    for name in set(vars(builtins)) - names:
        delattr(builtins, name)


@pytest.mark.parametrize("value", VALUES)
def test_output_is_that_of_myst_nb(displayed, value):
    theirs = pytest.importorskip("myst_nb").glue
    expected = displayed(theirs, "name", value, display=False)
    assert displayed(glue, "name", value) == expected
    assert len(expected) == 1


@pytest.mark.parametrize("value", ONE_ELEMENT)
def test_one_element_is_published_as_its_number(displayed, value):
    assert displayed(glue, "name", value) == displayed(glue, "name", value.item())


def test_text_comes_out_in_the_page_as_it_went_in(displayed):
    variables = pytest.importorskip("myst_nb.core.variables")
    prefix = "application/papermill.record/"
    record = {"scrapbook": {"name": "size", "mime_prefix": prefix}}
    for text in ("cpu", "10,000", "1e3", "it's"):
        [(data, metadata)] = displayed(glue, "size", text)
        assert metadata == record and set(data) == {prefix + "text/plain"}
        assert variables.format_plain_text(data[prefix + "text/plain"], "") == text


def test_tensor_of_many_elements_is_refused(displayed):
    with pytest.raises(RuntimeError, match="cannot be converted to Scalar"):
        glue("name", torch.zeros(2))


def test_nothing_happens_outside_a_notebook(capsys, monkeypatch):
    glue("name", 3)
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    glue("name", 3)
    assert "IPython" not in sys.modules
    assert capsys.readouterr() == ("", "")
