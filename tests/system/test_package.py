"""The Debian package and the container, as far as that costs nothing: what is laid where, and what dpkg is told.

That it installs, starts, upgrades and purges is shown by `deploy/debian/test-in-root.sh` in a Debian of its own.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from syncd import __version__

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
DEBIAN = DEPLOY / "debian"
SCRIPTS = [DEBIAN / name for name in ("build.sh", "test-in-root.sh", "postinst", "prerm", "postrm")]


def needed(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The package without the program."""
    needed("dpkg")
    made = tmp_path / "tree"
    subprocess.run([DEBIAN / "build.sh", "--tree", made], check=True, timeout=60)
    return made


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_package_says_what_it_is(tree: Path) -> None:
    """Version, architecture and what it needs: the Python that its packages were built for, and no other."""
    control = dict(re.findall(r"(?m)^([A-Z][A-Za-z-]+): (.*)$", (tree / "DEBIAN" / "control").read_text()))

    assert (control["Package"], control["Version"]) == ("syncd", __version__)
    assert {"python3 (>= 3.11)", "python3 (<< 3.12)"} <= set(control["Depends"].split(", "))
    assert "@" not in control["Installed-Size"] + control["Architecture"]


def test_everything_lies_where_the_papers_say(tree: Path) -> None:
    """Units, users, the command, the sample settings, which no upgrade asks about: no conffile; nobody but root may
    write any of it."""
    for unit in [*DEPLOY.glob("*.service"), *DEPLOY.glob("*.timer"), *DEPLOY.glob("network-less/syncd-out@*")]:
        assert (tree / "lib" / "systemd" / "system" / unit.name).read_text() == unit.read_text()
    drop_in = DEPLOY / "network-less" / "syncd.service.conf"
    assert (tree / "usr" / "share" / "doc" / "syncd" / "network-less.conf").read_text() == drop_in.read_text()
    for name in ("syncd", "syncd-status"):
        assert (tree / "usr" / "lib" / "sysusers.d" / f"{name}.conf").is_file()
    assert not (tree / "DEBIAN" / "conffiles").exists()
    assert not (tree / "etc").exists()
    assert (tree / "usr/share/syncd/syncd.toml").read_text() == (DEPLOY / "syncd.toml").read_text()
    assert os.access(tree / "usr" / "bin" / "syncd", os.X_OK)
    assert [str(path) for path in tree.rglob("*") if mode(path) & 0o022] == []
    summed = {line.split("  ", 1)[1] for line in (tree / "DEBIAN" / "md5sums").read_text().splitlines()}
    assert summed == {
        str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file() and "DEBIAN" not in path.parts
    }


def test_dpkg_takes_the_tree(tree: Path, tmp_path: Path) -> None:
    """It can be packed, and dpkg reads it back."""
    package = tmp_path / "syncd.deb"
    pack = ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(tree), str(package)]
    subprocess.run(pack, check=True, capture_output=True, timeout=60)
    told = subprocess.run(["dpkg-deb", "--field", package, "Package"], check=True, capture_output=True, text=True)
    assert told.stdout == "syncd\n"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_sound(script: Path) -> None:
    """The shell can read it, it stops at the first failure, and shellcheck has nothing to say."""
    subprocess.run(["sh", "-n", script], check=True, timeout=30)
    assert re.search(r"(?m)^set -eu?x?$", script.read_text())
    needed("shellcheck")
    said = subprocess.run(["shellcheck", script], capture_output=True, text=True, check=False, timeout=60)
    assert (said.returncode, said.stdout) == (0, "")


def test_a_purge_takes_secrets_and_state_and_a_removal_does_not() -> None:
    """What a person typed and what syncd remembers survive a removal."""
    removed, _, purged = (DEBIAN / "postrm").read_text().partition('"$1" = purge')

    for place in ("/etc/credstore/syncd", "/var/lib/syncd", "/var/lib/private/syncd", "/etc/syncd"):
        assert place in purged
        assert place not in removed


def test_the_container_runs_as_nobody_with_wheels_of_the_lock() -> None:
    """Two stages, hashes, no root, and the health that `status --ready` tells."""
    text = (DEPLOY / "Containerfile").read_text()

    assert text.count("FROM ${BASE}") == 2
    assert "--require-hashes --only-binary :all: -r requirements-run.lock" in text
    last = text.rpartition("FROM ")[2]
    assert last.index("COPY --from=built /opt/syncd") < last.index("USER 10001:10001") < last.index("ENTRYPOINT")
    assert 'CMD ["syncd", "status", "--ready"]' in last
    for copied in re.findall(r"(?m)^COPY (?!--from)(.*) \S+$", text):
        for name in copied.split():
            assert (DEPLOY.parent / name).exists(), name


@pytest.mark.long
def test_the_wheel_is_all_that_a_user_needs(tmp_path: Path) -> None:
    """What README's first command installs: every file of the package and the migrations, and the demo runs from it,
    far from this checkout."""
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, timeout=300)
    (wheel,) = tmp_path.glob("syncd-*.whl")
    with ZipFile(wheel) as packed:
        packed.extractall(tmp_path / "site")
    listed = subprocess.run(["git", "ls-files", "syncd"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    wanted = {*listed.split(), *(f"syncd/{path.relative_to(ROOT)}" for path in (ROOT / "migrations").rglob("*.py"))}
    assert {path for path in wanted if not (tmp_path / "site" / path).is_file()} == set()

    alone = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    demo = [sys.executable, "-m", "syncd", "demo", "--customers", "20"]
    told = subprocess.run(demo, cwd=tmp_path, env=alone, check=True, capture_output=True, text=True, timeout=300)
    assert told.stdout.count(" ok") >= 14
    where = [sys.executable, "-c", "import syncd; print(syncd.__file__)"]
    said = subprocess.run(where, cwd=tmp_path, env=alone, check=True, capture_output=True, text=True)
    assert said.stdout.strip() == str(tmp_path / "site" / "syncd" / "__init__.py")
