"""The workflows of the repository: what they may do, and on what they rely."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
# the only jobs that may do more than read, and what
MAY_WRITE = {
    ("publish", "push"): {"contents": "write"},
    ("release", "release"): {"contents": "write"},
    ("release", "index"): {"id-token": "write"},
    ("report", "report"): {"issues": "write"},
    ("links", "report"): {"issues": "write"},
    ("torch", "report"): {"issues": "write"},
}
READ_ONLY = ({}, {"contents": "read"})
PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
LOCAL = re.compile(r"uses: \./\.github/workflows/[\w-]+\.yml$")


def load(path: Path) -> dict:
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    workflow["on"] = workflow.pop(True)  # YAML takes "on" for a truth value
    return workflow


JOBS = [
    pytest.param(path.stem, name, job, id=f"{path.stem}-{name}")
    for path in FILES
    for name, job in load(path)["jobs"].items()
]


def sessions() -> set[str]:
    text = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    return set(re.findall(r"^@nox\.session\ndef (\w+)\(", text, re.M))


def test_there_are_the_workflows_that_contributing_names():
    names = {path.stem for path in FILES}
    said = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert names == set(re.findall(r"^\| `(\w+)\.yml` \|", said, re.M))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_workflow_reads_and_no_more(path):
    workflow = load(path)
    assert workflow["permissions"] in READ_ONLY
    assert "pull_request_target" not in workflow["on"]
    assert "workflow_run" not in workflow["on"]


@pytest.mark.parametrize(("workflow", "name", "job"), JOBS)
def test_a_job_may_do_what_it_must(workflow, name, job):
    allowed = MAY_WRITE.get((workflow, name))
    if allowed is None:
        assert job.get("permissions", {}) in READ_ONLY
    else:
        assert job["permissions"] == allowed
        steps = job.get("steps", [])
        # who may write installs nothing and runs nothing of the repository
        assert not [s for s in steps if "checkout" in s.get("uses", "")]
        assert not [s for s in steps if re.search(r"nox|pip", s.get("run", ""))]


@pytest.mark.parametrize(("workflow", "name", "job"), JOBS)
def test_a_job_ends_some_time(workflow, name, job):
    assert "timeout-minutes" in job or "uses" in job  # a called workflow has its own


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_actions_are_pinned_to_a_commit_and_say_which_version(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    used = [line.strip().removeprefix("- ") for line in lines if "uses:" in line]
    assert [u for u in used if not PINNED.match(u) and not LOCAL.match(u)] == []


def test_an_action_has_one_commit_everywhere():
    text = "".join(path.read_text(encoding="utf-8") for path in FILES)
    pins = set(re.findall(r"uses: ([\w-]+/[\w-]+)\S*@([0-9a-f]{40}) # (v[\d.]+)", text))
    assert len({action for action, _, _ in pins}) == len(pins)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_secret_is_needed(path):
    text = path.read_text(encoding="utf-8")
    assert "secrets." not in text and "secrets:" not in text
    if "github.token" in text:
        assert {job for job in load(path)["jobs"] if (path.stem, job) in MAY_WRITE}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_checkout_leaves_no_credentials_behind(path):
    for job in load(path)["jobs"].values():
        for step in job.get("steps", []):
            if "actions/checkout@" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize(("workflow", "name", "job"), JOBS)
def test_commands_name_sessions_that_exist(workflow, name, job):
    known = sessions()
    assert {"build", "lint", "tests"} <= known
    for step in job.get("steps", []):
        run = step.get("run", "")
        assert set(re.findall(r"nox -s (\w+)", run)) <= known
        for script in re.findall(r"bash (\S+)", run):
            assert (ROOT / script).is_file()


@pytest.mark.parametrize(("workflow", "name", "job"), JOBS)
def test_nothing_of_the_event_is_pasted_into_a_command(workflow, name, job):
    # a branch may be called $(anything); it goes through a variable
    assert not [s for s in job.get("steps", []) if "${{" in s.get("run", "")]


def test_a_failing_week_opens_an_issue():
    for name in ("links", "torch"):
        workflow = load(ROOT / ".github" / "workflows" / f"{name}.yml")
        report = workflow["jobs"]["report"]
        assert "schedule" in workflow["on"]
        assert report["if"] == "failure()" and report["needs"] in workflow["jobs"]


def test_dependabot_keeps_the_pins_up_to_date():
    text = (ROOT / ".github" / "dependabot.yml").read_text(encoding="utf-8")
    updated = {u["package-ecosystem"] for u in yaml.safe_load(text)["updates"]}
    assert "github-actions" in updated


def test_hooks_run_what_the_lint_session_runs():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    assert [repository["repo"] for repository in config["repos"]] == ["local"]
    hooks = config["repos"][0]["hooks"]
    noxfile = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    session = noxfile[noxfile.index("def lint(") : noxfile.index("def torch(")]
    commands = ("ruff check", "ruff format", "zizmor", "-m bookbuild.lint")
    assert len(hooks) == len(commands) == session.count("session.run(")
    for hook, command in zip(hooks, commands, strict=True):
        assert command in hook["entry"]
        for part in command.split():
            assert f'"{part}"' in session


def test_hooks_use_the_pinned_versions():
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    for hook in config["repos"][0]["hooks"]:
        assert hook["language"] == "python"
        assert hook["additional_dependencies"]
        assert set(hook["additional_dependencies"]) <= set(pins)


def test_the_oldest_torch_is_the_lower_bound():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    bounds = [one for one in project["dependencies"] if one.startswith("torch")]
    assert len(bounds) == 2 and all(re.fullmatch(r"\w+>=\d+\.\d+", b) for b in bounds)
