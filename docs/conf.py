"""Configuration of the documentation site; `make docs` builds it."""

from __future__ import annotations

import sys
from pathlib import Path

from dynamaze.common.version import __version__

sys.path.insert(0, str(Path(__file__).parent))  # for `sitebuild`

project = "DynaMaze"
release = version = __version__
html_title = f"DynaMaze {__version__}"
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sitebuild.extension",
]
root_doc = "index"
exclude_patterns = ["_build"]

html_theme = "furo"
html_show_sourcelink = False
html_static_path = ["site/static"]
html_css_files = ["site.css"]

myst_enable_extensions = ["dollarmath", "html_image"]
# Every heading down to this level has an anchor of GitHub's form, so that links work in both views.
myst_heading_anchors = 3

nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_timeout = 120
nb_execution_raise_on_error = True
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
# The fields of `:ivar:` would be links to attributes of that name in any class.
# What stands before a colon in "Returns" is often no type.
napoleon_use_rtype = False
napoleon_custom_sections = [("Attributes", "params_style")]
# In docstrings `name` is code; where the name is documented it is a link.
default_role = "py:obj"
