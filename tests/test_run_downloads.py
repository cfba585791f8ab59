"""Which downloads CI runs."""

from run_downloads import choose


def test_four_runs_of_half_the_pages_run_every_download_once(tmp_path):
    for i in range(7):
        (tmp_path / f"page{i}.ipynb").touch()
    chosen = [
        path.name
        for turn in range(4)
        for path in choose(tmp_path, [], either=True, share=2, turn=turn)
    ]
    names = [f"page{i}{kind}" for i in range(7) for kind in (".ipynb", ".py")]
    assert sorted(chosen) == sorted(names)


def test_without_options_all_downloads_run(tmp_path):
    (tmp_path / "a.ipynb").touch()
    (tmp_path / "b.ipynb").touch()
    for names, count in (([], 4), (["b"], 2)):
        found = choose(tmp_path, names, either=False, share=1, turn=3)
        assert len(found) == count
