#!/bin/sh
# Installs, starts, upgrades and purges the package in a Debian 12 of its own, booted with systemd; as root.
#
#     apt-get install debootstrap systemd-container
#     debootstrap --variant=minbase --include=systemd-sysv,python3,ca-certificates bookworm ROOT
#     deploy/debian/test-in-root.sh ROOT FORMER.deb NEW.deb
#
# ROOT is used up. It prints each step and ends with 0 where "all of it held".
set -eu
root=$(realpath "$1")
install -m 644 "$2" "$root/srv/former.deb"
install -m 644 "$3" "$root/srv/new.deb"

cat > "$root/srv/check.sh" <<'CHECK'
#!/bin/sh
set -eux
say() { echo "# $1"; }
trap 'echo "did not hold"; systemctl poweroff' EXIT

say "the former one is installed, and starts nothing by itself"
dpkg -i /srv/former.deb
test "$(stat -c %a /etc/syncd/syncd.toml)" = 644
test "$(stat -c %a /etc/credstore/syncd)" = 700
test "$(stat -c %a /etc/credstore/syncd/state-key)" = 600
test "$(systemctl is-active syncd)" = inactive
getent passwd syncd syncd-status

say "with a shop, the sample file reduced to one provider runs"
install -d -o syncd -g syncd -m 700 /var/lib/syncd
python3 - << 'PYTHON'
import os, re, shutil, sqlite3
shop = sqlite3.connect("/var/lib/syncd/shop.db")
shop.execute("CREATE TABLE customers (id INTEGER PRIMARY KEY, number TEXT, name TEXT, email TEXT)")
shop.execute("INSERT INTO customers VALUES (1, '1001', 'Kranbau GmbH', 'a@example.com')")
shop.commit()
shutil.chown("/var/lib/syncd/shop.db", "syncd", "syncd")
with open("/etc/syncd/syncd.toml", "a") as settings:
    settings.seek(0)
    settings.truncate()
    settings.write("""# of this shop
[source]
url = "sqlite:////var/lib/syncd/shop.db"
table = "customers"
key = "id"
[source.fields]
number = "number"
name = "name"
email = "email"
[state]
url = "sqlite:////var/lib/syncd/state.db"
key = "credential:state-key"
[providers.aiotic]
url = "http://127.0.0.1:9"
api_key = "credential:aiotic"
""")
PYTHON
(umask 077; echo secret > /etc/credstore/syncd/aiotic)
syncd triggers install
chown syncd:syncd /var/lib/syncd/*
systemctl enable --now syncd
test "$(systemctl is-active syncd)" = active
test "$(systemctl show -P NRestarts syncd)" = 0
before=$(systemctl show -P MainPID syncd)
until test -e /var/lib/syncd/state.db; do sleep 1; done

say "an upgrade keeps settings, key and state, and starts what ran"
key=$(sha256sum /etc/credstore/syncd/state-key)
dpkg -i /srv/new.deb
test "$(dpkg-query -W -f '${Version}' syncd)" = "$(dpkg-deb -f /srv/new.deb Version)"
head -1 /etc/syncd/syncd.toml | grep -x '# of this shop'
test "$key" = "$(sha256sum /etc/credstore/syncd/state-key)"
if syncd db info 2>&1 | grep 'syncd db upgrade'; then
  say "a state of a former version is refused until a person upgrades it"
  test "$(systemctl is-active syncd)" != active
  syncd db upgrade
  systemctl restart syncd
fi
test "$(systemctl is-active syncd)" = active
test "$(systemctl show -P MainPID syncd)" != "$before"
syncd --version
syncd db info
syncd status --json > /srv/status.json || test $? -ne 1
dpkg --verify syncd

say "removed, settings and state stay; purged, nothing does"
dpkg -r syncd
test -e /etc/syncd/syncd.toml -a -e /var/lib/syncd/state.db -a ! -e /opt/syncd
dpkg -P syncd
left=$(find / -xdev \( -path /proc -o -path /sys -o -path /srv -o -path /var/log \) -prune -o -name '*syncd*' ! -name '*rsyncd*' -print)
test -z "$left"
! getent passwd syncd
! dpkg -s syncd
trap - EXIT
echo "all of it held"
systemctl poweroff 2> /dev/null
CHECK
chmod 755 "$root/srv/check.sh"
cat > "$root/etc/systemd/system/check.service" <<'UNIT'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
TimeoutStartSec=600
ExecStart=/bin/sh -c '/srv/check.sh > /srv/check.log 2>&1'
[Install]
WantedBy=graphical.target
UNIT
mkdir -p "$root/etc/systemd/system/graphical.target.wants"
ln -sf /etc/systemd/system/check.service "$root/etc/systemd/system/graphical.target.wants/check.service"
# shellcheck disable=SC2016  # $0 is the inner shell's
# A /run of its own: nspawn wants a tmpfs there, which a container that is no machine may lack.
unshare --mount sh -c 'mount -t tmpfs tmpfs /run && exec timeout 900 systemd-nspawn --register=no --keep-unit --quiet -D "$0" --boot' "$root" \
  > "$root/srv/boot.log" 2>&1 || true
grep -v '^+' "$root/srv/check.log"
grep -qx "all of it held" "$root/srv/check.log"
