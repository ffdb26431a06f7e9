"""Public names of the rendering package, which are loaded lazily."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dynamaze.envs import rendering

# The package's parent may load some of the modules: they are unloaded first.
LOADED = """
import sys
from importlib import import_module
package = "dynamaze.envs.rendering"
import_module("dynamaze.envs")
for name in [name for name in sys.modules if name.startswith(package)]:
    del sys.modules[name]
rendering = import_module(package)
print(sorted(name for name in sys.modules if name.startswith(package + ".")))
rendering.FramePainter
names = ("recorder", "svg", "text", "video_files", "window")
print([name for name in names if f"{package}.{name}" in sys.modules])
"""


@pytest.mark.parametrize("name", rendering.__all__)
def test_public_name_is_defined(name: str) -> None:
    assert getattr(rendering, name) is not None


def test_import_loads_no_modules() -> None:
    command = [sys.executable, "-c", LOADED]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "[]"]


def test_old_name_warns() -> None:
    with pytest.warns(DeprecationWarning, match=r"rendering\.Window is now called .*RenderWindow"):
        assert rendering.Window is rendering.RenderWindow


def test_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Windows'"):
        _ = rendering.Windows
