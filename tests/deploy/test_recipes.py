"""The compose file and the pages about fleets say what the code does."""

import re
import shlex
from pathlib import Path

import prefect.settings
import pytest
import yaml

from deploy.cli import main
from deploy.options import Options
from deploy.services import servers, workers

ROOT = Path(__file__).parents[2]
PAGES = ("fleet.md", "security.md", "slurm.md", "kubernetes.md")
DEPLOY = ROOT / "deploy"
SECRET = re.compile(r"PASSWORD|AUTH_STRING|SECRET|ACCESS_KEY")
GIVEN = re.compile(r"\$\{[A-Z_]+:\?[^}]*\}")
"""A variable that compose refuses to start without."""
OF_THE_PLACE = {
    "CUDA_VISIBLE_DEVICES",
    "GRADMIX_HOME",
    "MLFLOW_SERVER_ALLOWED_HOSTS",
    "MLFLOW_TRACKING_URI",
    "PATH",
    "PREFECT_API_URL",
    "PREFECT_UI_API_URL",
    "PYTHONSAFEPATH",
}
"""What differs in a container: addresses, paths, and what its image sets."""


def page(name):
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def pages():
    return "".join(map(page, PAGES))


def recipes():
    """All text that an operator may copy from."""
    files = [DEPLOY / "compose.yaml", DEPLOY / "Dockerfile", DEPLOY / "prefect.yaml"]
    return pages() + "".join(path.read_text(encoding="utf-8") for path in files)


@pytest.fixture(scope="module")
def services():
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    found = compose["services"]
    used = {network for service in found.values() for network in service["networks"]}
    assert used == set(compose["networks"])
    return found


def variables(services):
    for name, service in services.items():
        for variable, value in service.get("environment", {}).items():
            yield name, variable, value


def containers():
    """Of the pods in the page, by name."""
    text = re.findall(r"^```yaml\n(.*?)^```", page("kubernetes.md"), re.MULTILINE | re.DOTALL)
    documents = [d["spec"] for d in yaml.safe_load_all(text[0])]
    pods = [spec["template"]["spec"] for spec in documents if "template" in spec]
    return {found["name"]: found for pod in pods for found in pod["containers"]}


def environment(container):
    return {entry["name"]: entry.get("value") for entry in container["env"]}


def test_compose_publishes_on_loopback_only(services):
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert len(ports) == 2
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert not any("network_mode" in service for service in services.values())


def test_compose_holds_no_password_and_starts_without_none(services):
    secrets = [value for _, name, value in variables(services) if SECRET.search(name)]
    assert secrets.count(None) < len(secrets)
    assert all(value is None or GIVEN.fullmatch(value) for value in secrets)
    for _, _, value in variables(services):
        if value and "@" in value:
            assert re.search(rf"//gradmix:{GIVEN.pattern}@postgres:", value)


def test_workers_reach_neither_the_database_nor_mlflow(services):
    for name in ("gpu", "cpu"):
        assert services[name]["networks"] == ["api"]
    for name in ("postgres", "mlflow"):
        assert "api" not in services[name]["networks"]


def test_everything_of_compose_says_whether_it_is_well_or_ends(services):
    without = {name for name, service in services.items() if "healthcheck" not in service}
    assert without == {"declare", "gpu", "cpu"}


def test_containers_have_the_settings_of_a_fleet_on_one_machine(services):
    options = Options(Path("/runs"))
    of_code = {
        "prefect": servers(options)[0].variables,
        "mlflow": servers(options)[1].variables,
        "driver": workers(options)[0].variables,
    }
    for name, wanted in of_code.items():
        found = services[name]["environment"]
        for variable in set(wanted) - OF_THE_PLACE:
            if not variable.startswith("_"):
                assert found.get(variable) == wanted[variable], (name, variable)


def test_pods_have_the_settings_of_the_containers(services):
    pods = containers()
    for name in ("prefect", "mlflow", "driver"):
        found, wanted = environment(pods[name]), services[name]["environment"]
        for variable in (set(found) & set(wanted)) - OF_THE_PLACE:
            if not SECRET.search(variable) and not found[variable].startswith("sqlite:"):
                same = found[variable].endswith(wanted[variable])
                assert same or SECRET.search(wanted[variable]), (name, variable)


def test_no_pod_holds_a_password():
    for container in containers().values():
        for name, value in environment(container).items():
            assert not (SECRET.search(name) and value), name


def test_commands_of_the_pages_are_understood():
    lines = re.findall(r"^(?:head|other)?\$ +(gradmix [a-z].*)$", pages(), re.MULTILINE)
    assert {line.split()[1] for line in lines} >= {"up", "reproduce", "rerun", "status"}
    for line in lines:
        _, name, *words = shlex.split(line, comments=True)
        # Parses options and arguments, runs nothing.
        main.commands[name].make_context(name, words)


def test_variables_of_ours_that_are_named_exist():
    code = "".join(
        path.read_text(encoding="utf-8")
        for room in ("deploy", "flows", "tasks")
        for path in (ROOT / room).rglob("*.py")
    )
    named = set(re.findall(r"\bGRADMIX_[A-Z]+\b", recipes()))
    assert named >= {"GRADMIX_HOME", "GRADMIX_STORAGE", "GRADMIX_FORK"}
    assert [name for name in named if f'"{name}"' not in code] == []


def test_variables_of_prefect_that_are_named_exist():
    named = set(re.findall(r"\bPREFECT_[A-Z_]+[A-Z]\b", recipes()))
    assert named >= {"PREFECT_API_URL", "PREFECT_SERVER_API_AUTH_STRING"}
    # Names of that kind are places in Prefect's logging.yml.
    named = {name for name in named if not name.startswith("PREFECT_LOGGING_HANDLERS_")}
    assert [name for name in sorted(named) if not hasattr(prefect.settings, name)] == []


def test_variables_of_ours_are_in_the_table():
    code = (ROOT / "deploy" / "services.py").read_text(encoding="utf-8")
    table = re.findall(r"^\| `([A-Z_]+)`", page("fleet.md"), re.MULTILINE)
    for name in re.findall(r"environ\.get\(\"([A-Z_]+)\"", code):
        assert name == "PATH" or name in table


def test_sections_that_are_linked_exist():
    for name in PAGES:
        for target, section in re.findall(r"\]\(([a-z.]*)#([a-z-]+)\)", page(name)):
            headings = re.findall(r"^#+ (.*)$", page(target or name), re.MULTILINE)
            slugs = [re.sub(r"[^a-z -]", "", h.lower()).replace(" ", "-") for h in headings]
            assert section in slugs, (name, section)


def test_every_reader_is_told_what_was_not_run_here():
    for name in ("slurm.md", "kubernetes.md"):
        assert "Not run on a cluster" in page(name)
    assert "not run in this project's tests" in (DEPLOY / "compose.yaml").read_text("utf-8")
