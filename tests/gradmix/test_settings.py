"""Settings added later leave no trace at their defaults, and do when used."""

from dataclasses import asdict, dataclass, fields, replace

import pytest

from gradmix.declarations.methods import METHODS
from gradmix.settings import later, telling


@dataclass(frozen=True, kw_only=True)
class Config:
    rate: float = 0.1
    clip: float = later(0.0)


def test_a_later_setting_tells_nothing_at_its_default():
    assert Config() == Config(clip=0.0)
    assert telling(Config()) == {"rate": 0.1}
    assert telling(Config(rate=0.2)) == {"rate": 0.2}


def test_a_later_setting_tells_what_it_is_set_to():
    assert telling(Config(clip=1.0)) == {"rate": 0.1, "clip": 1.0}


@pytest.mark.parametrize("name", METHODS)
def test_the_settings_of_every_method_are_found_again_from_what_they_tell(name):
    config = METHODS[name].config()
    assert type(config)(**telling(config)) == config
    flipped = {f.name: not getattr(config, f.name) for f in fields(config) if f.type == "bool"}
    changed = replace(config, **{f: v for f, v in flipped.items() if f == "v_updates_statistics"})
    assert asdict(type(config)(**telling(changed))) == asdict(changed)
