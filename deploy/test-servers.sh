#!/bin/sh
# Makes sure that the tests find Debian's RabbitMQ, Dovecot, Chromium and libfaketime: each test starts
# its own private one, so nothing is started or enabled here. APT=no leaves the machine as it is.
set -eu

missing=
for package in rabbitmq-server dovecot-imapd chromium faketime; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

skip() {
    echo "test: without$missing ($1) the tests that need them are skipped"
    exit 0
}

[ "${APT:-yes}" != no ] || skip "APT=no"
command -v apt-get >/dev/null || skip "no apt-get here"
if [ "$(id -u)" = 0 ]; then root=; elif sudo -n true 2>/dev/null; then root='sudo -n'; else skip "no root"; fi

# A policy of 101 keeps Debian's packages from starting their servers while they are installed.
policy=/usr/sbin/policy-rc.d
saved=
restore() {
    $root rm -f "$policy"
    [ -z "$saved" ] || $root mv "$saved" "$policy"
}
if [ -e "$policy" ]; then
    saved=$policy.before-deskwire
    $root mv "$policy" "$saved"
fi
trap restore EXIT
trap 'exit 1' INT TERM
printf '#!/bin/sh\nexit 101\n' | $root tee "$policy" >/dev/null
$root chmod 755 "$policy"

echo "test: installing$missing for the tests, not starting them"
log=$(mktemp)
# shellcheck disable=SC2086  # one word per package, and no word when we are root
if { $root apt-get update && $root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
    rm -f "$log"
else
    tail -n 3 "$log" >&2
    rm -f "$log"
    skip "apt-get failed"
fi

# Nor at the next boot.
if [ -d /run/systemd/system ]; then
    for unit in rabbitmq-server dovecot; do
        case $missing in *"${unit%-server}"*) $root systemctl disable --quiet "$unit" 2>/dev/null || true ;; esac
    done
fi
