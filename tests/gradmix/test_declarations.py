"""What methods declare is known, and checked, without torch."""

import subprocess
import sys

import pytest

from gradmix import METHODS, method_named
from gradmix.methods import method_class
from gradmix.problem import TARGET_HEAD

WITHOUT_TORCH = """
import sys
from gradmix import METHODS, ConvTrunkConfig, LabelSpace, OptimiserConfig, TrainingConfig
for method in METHODS.values():
    method.config()
ConvTrunkConfig(), OptimiserConfig(), TrainingConfig(), LabelSpace(("a",))
print(len(METHODS), "torch" in sys.modules)
"""


def test_declarations_and_settings_load_no_torch() -> None:
    command = [sys.executable, "-P", "-W", "error", "-c", WITHOUT_TORCH]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    assert done.stdout.split() == [str(len(METHODS)), "False"]


def test_a_method_is_imported_from_where_it_says() -> None:
    from gradmix.methods.mme import MME

    assert method_class(METHODS["mme"]) is MME


def test_an_unknown_method_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"method must be one of target_only, .*Found 'gradmx'\."):
        method_named("gradmx")


@pytest.mark.parametrize(
    ("name", "of_target", "of_others"),
    [("gradmix", True, True), ("mme", True, False), ("fine_tune", False, False)],
)
def test_the_source_scope_decides_which_heads_are_read(name, of_target, of_others) -> None:
    declared = METHODS[name]
    assert (declared.reads_source(TARGET_HEAD), declared.reads_source("far")) == (
        of_target,
        of_others,
    )
