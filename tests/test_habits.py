"""The workflow, the hooks and the Makefile name the same targets, versions and tools."""

import re
import tomllib

import yaml

from tests.pages import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))


def test_every_target_is_phony_and_says_what_it_does():
    (phony,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert set(phony.split()) == TARGETS
    described = set(re.findall(r"^([a-z-]+):.*##", MAKEFILE, re.MULTILINE))
    assert TARGETS - described == set()


def test_the_workflow_runs_what_the_project_supports():
    jobs = WORKFLOW["jobs"]
    classifiers = PROJECT["project"]["classifiers"]
    versions = [c.rpartition(" ")[2] for c in classifiers if c.startswith("Programming Language")]
    assert jobs["test"]["strategy"]["matrix"]["python"] == versions
    assert {"run": ".ci/run"} in jobs["test"]["steps"]
    core = {entry["torch"] for entry in jobs["core"]["strategy"]["matrix"]["include"]}
    assert core == {"oldest", "newest"}
    assert core | set(jobs["more"]["strategy"]["matrix"]["target"]) <= TARGETS


def test_hooks_come_from_this_checkout_or_the_package_index():
    assert [repository["repo"] for repository in HOOKS["repos"]] == ["local"]
    for hook in HOOKS["repos"][0]["hooks"]:
        assert all("==" in needed for needed in hook.get("additional_dependencies", []))


def test_coverage_is_of_the_core_with_branches_and_has_a_floor():
    coverage = PROJECT["tool"]["coverage"]
    assert coverage["run"] == {"branch": True, "source": ["gradmix"]}
    assert coverage["report"]["fail_under"] >= 95
