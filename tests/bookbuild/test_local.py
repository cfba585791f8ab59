"""Which pages may run beside each other on one machine, and in which order."""

from pathlib import Path

import pytest

from bookbuild import BuildError
from bookbuild.engine import UNKNOWN, Engine
from bookbuild.local import Local
from bookbuild.pages import Page, read_resources
from bookbuild.store import Store


def page(name: str, requires: tuple[str, ...] = (), **resources: float) -> Page:
    return Page(name, Path(f"{name}.md"), (), requires, tuple(resources.items()))


@pytest.mark.parametrize(
    ("wants", "beside", "fits"),
    [
        ({}, [{"GPU": 1.0}], True),
        ({"GPU": 1.0}, [], True),
        ({"GPU": 1.0}, [{}], True),
        ({"GPU": 1.0}, [{"GPU": 1.0}], False),
        ({"memory": 8.0}, [{"memory": 8.0}], True),
        ({"memory": 9.0}, [{"memory": 8.0}], False),
        ({"memory": 99.0}, [{}], True),  # more than there is: all of it
    ],
)
def test_pages_share_what_the_machine_has(wants, beside, fits):
    local = Local(jobs=2, time_limit=1, cold=True)
    local.capacity = {"GPU": 1.0, "memory": 16.0}
    running = [page(f"other-{i}", **other) for i, other in enumerate(beside)]
    assert local.fits(page("one", **wants), running) == fits


def test_resources_are_read_and_mistakes_told():
    path = Path("page.md")
    wanted = (("GPU", 1.0), ("memory", 8.5))
    assert read_resources("GPU=1 memory=8.5", path) == wanted
    assert read_resources("", path) == ()
    for mistake in ("GPU", "gpu=1", "memory=much"):
        with pytest.raises(BuildError, match=r"page.md asks for .* write GPU=1"):
            read_resources(mistake, path)


def test_a_page_for_which_others_wait_takes_their_time_as_well(tmp_path):
    store = Store(tmp_path)
    store.save_record("third", {"seconds": 5.0})
    due = [page("first"), page("second", ("first",)), page("third", ("second",))]
    engine = Engine(store, recipes=None, machine=None)
    expected = [engine._expected(one, due) for one in due]
    assert expected == [2 * UNKNOWN + 5, UNKNOWN + 5, 5]
