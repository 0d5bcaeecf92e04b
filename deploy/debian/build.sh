#!/bin/sh
# Builds syncd_VERSION_ARCH.deb for Debian 12: the program with its own Python packages in /opt/syncd, the units, the
# command, man pages, completion, and the sample settings, which a first installation lays into /etc/syncd: whoever uses
# syncd edits them, so as a conffile every change of the sample would stop an upgrade with a question.
#
#     deploy/debian/build.sh [OUT]            the package goes to OUT (default: dist)
#     deploy/debian/build.sh --tree DIR       everything but the program into DIR, without a package or a download
#
# Needs Debian 12's python3, python3-venv and dpkg-deb. SYNCD_DEB_VERSION stands in place of the checkout's version.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$here/../.." && pwd)
python=${PYTHON:-/usr/bin/python3}
version=${SYNCD_DEB_VERSION:-$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' "$source/syncd/__init__.py")}
architecture=$(dpkg --print-architecture)

# The program in a private venv, from wheels with the hashes of requirements-run.lock.
lay_program() {
  root=$1 work=$2 opt=$1/opt/syncd
  "$python" -m venv "$work/tools"
  pip="$work/tools/bin/pip --disable-pip-version-check --quiet"
  $pip install --require-hashes --only-binary :all: -r "$source/requirements-run.lock"
  $pip wheel --no-deps --no-build-isolation --wheel-dir "$work" "$source"
  "$python" -m venv --without-pip "$opt"
  $pip --python "$opt/bin/python" install --no-compile --require-hashes --only-binary :all: -r "$source/requirements-run.lock"
  $pip --python "$opt/bin/python" install --no-compile --no-deps "$work"/syncd-*.whl
  find "$opt" -name direct_url.json -delete
  sed -i '/direct_url\.json/d' "$opt"/lib/python3*/site-packages/syncd-*.dist-info/RECORD
  rm -f "$opt"/bin/activate* "$opt"/bin/Activate.ps1
  grep -rlI -F "$root" "$opt/bin" "$opt/pyvenv.cfg" | xargs -r sed -i "s|$root||g"
  find "$opt/lib" -name '*.so*' -exec chmod 644 {} +
  find "$opt" -name __pycache__ -prune -exec rm -rf {} +
}

# Man pages and completion are what the program says about itself.
lay_words() {
  root=$1 work=$2
  awk '/^click-man==/ { on = 1 } on { print } on && !/\\$/ { exit }' "$source/requirements.lock" > "$work/click-man.txt"
  "$work/tools/bin/pip" --disable-pip-version-check --quiet install --no-deps --require-hashes -r "$work/click-man.txt"
  "$work/tools/bin/pip" --disable-pip-version-check --quiet install --no-deps "$work"/syncd-*.whl
  "$work/tools/bin/python" "$source/deploy/manpages.py" "$root/usr/share/man/man1"
  gzip -9n "$root"/usr/share/man/man1/*.1
  mkdir -p "$root/usr/share/bash-completion/completions"
  _SYNCD_COMPLETE=bash_source "$work/tools/bin/syncd" > "$root/usr/share/bash-completion/completions/syncd"
}

# What needs no program: units, users, settings, papers, and what dpkg is told.
lay_rest() {
  root=$1 doc=$1/usr/share/doc/syncd
  install -d -m 755 "$root/DEBIAN" "$root/lib/systemd/system" "$root/usr/lib/sysusers.d" "$root/usr/share/syncd" "$doc"
  install -m 644 "$source"/deploy/syncd*.service "$source"/deploy/syncd*.timer "$root/lib/systemd/system"
  install -m 644 "$source"/deploy/network-less/syncd-out@* "$root/lib/systemd/system"
  install -m 644 "$source/deploy/network-less/syncd.service.conf" "$doc/network-less.conf"
  install -m 644 "$source/deploy/syncd.sysusers" "$root/usr/lib/sysusers.d/syncd.conf"
  install -m 644 "$source/deploy/syncd-status.sysusers" "$root/usr/lib/sysusers.d/syncd-status.conf"
  install -m 644 "$source/deploy/syncd.toml" "$root/usr/share/syncd/syncd.toml"
  install -D -m 755 "$source/deploy/syncd-shell" "$root/usr/bin/syncd"
  sed -i 's|/usr/local/bin/syncd|/usr/bin/syncd|' "$root/usr/bin/syncd"
  install -m 644 "$source/README.md" "$source/deploy/INSTALL.md" "$source/deploy/PRIVACY.md" "$doc"
  install -m 644 "$source"/deploy/grants-*.sql "$here/copyright" "$doc"
  gzip -9nc "$source/CHANGELOG.md" > "$doc/changelog.gz"
  install -D -m 644 "$here/lintian-overrides" "$root/usr/share/lintian/overrides/syncd"
  install -m 755 "$here/postinst" "$here/prerm" "$here/postrm" "$root/DEBIAN"
  chmod 644 "$doc/changelog.gz"
}

# After everything else: the size of the whole.
lay_control() {
  root=$1
  sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" \
    -e "s/@SIZE@/$(du -sk --exclude=DEBIAN "$root" | cut -f1)/" "$here/control.in" > "$root/DEBIAN/control"
  (cd "$root" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | sort -z | xargs -0 md5sum) > "$root/DEBIAN/md5sums"
  chmod 644 "$root/DEBIAN/control" "$root/DEBIAN/md5sums"
}

umask 022
if [ "${1:-}" = --tree ]; then
  lay_rest "$2"
  lay_control "$2"
  exit 0
fi
out=${1:-$source/dist}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out" "$work/root"
lay_program "$work/root" "$work"
lay_words "$work/root" "$work"
lay_rest "$work/root"
lay_control "$work/root"
dpkg-deb --root-owner-group -Zgzip --build "$work/root" "$out/syncd_${version}_${architecture}.deb"
