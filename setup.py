"""Builds that are reproducible and leave nothing in the checkout; pyproject.toml has the rest."""

from __future__ import annotations

import atexit
import gzip
import os
import shutil
import stat
import sys
import tarfile
import tempfile
import time

from setuptools import setup
from setuptools.command.sdist import sdist


class ReproducibleSdist(sdist):
    """Source distribution without the owner, the umask and the clock of the build.

    All times are SOURCE_DATE_EPOCH (seconds since 1970), where that variable is set, as setuptools
    does it in wheels.
    """

    def make_archive(
        self,
        base_name: str,
        format: str,
        root_dir: str | None = None,
        base_dir: str | None = None,
        owner: str | None = None,
        group: str | None = None,
    ) -> str:
        """Write a .tar.gz file and return its path."""
        if format != "gztar" or root_dir is not None or base_dir is None:
            raise ValueError(f"format={format!r}: expected 'gztar' of a folder")
        given = os.environ.get("SOURCE_DATE_EPOCH")
        epoch = None if given is None else int(given)

        def normalised(member: tarfile.TarInfo) -> tarfile.TarInfo:
            runs = member.isdir() or bool(member.mode & stat.S_IXUSR)
            member.mode = 0o755 if runs else 0o644
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mtime = int(member.mtime) if epoch is None else epoch
            return member

        path = f"{base_name}.tar.gz"
        with (
            open(path, "wb") as file,
            gzip.GzipFile(
                "", "wb", fileobj=file, mtime=time.time() if epoch is None else epoch
            ) as z,
            tarfile.open(fileobj=z, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            archive.add(base_dir, filter=normalised)  # in the order of names
        return path


def options() -> dict[str, dict[str, str]]:
    """Return options of the commands: intermediate files lie in a temporary folder.

    `build/` and `dynamaze.egg-info/` in the checkout would outlast an uninstall, and the next wheel
    would pack a module of `build/` that was removed from the sources since.
    """
    if "sdist" in sys.argv:  # it packs its egg-info, and has no other intermediate files
        return {}
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return {"build": {"build_base": folder}, "egg_info": {"egg_base": folder}}


setup(cmdclass={"sdist": ReproducibleSdist}, options=options())
