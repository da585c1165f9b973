# Sourced by tools/run, tools/test and tools/bench: makes .venv and installs the checkout into it.

everything="haproxy,controller,swift,addresses,serving,keystone,test" # the extras that the tests need; a venv with them serves everybody

# ensure_venv EXTRAS [OPTION...]: installs anew only when setup.cfg, the extras or the interpreter changed. Options are
# uv's: with --compile-bytecode the first start of everything is as quick as the next, and the installing takes longer.
ensure_venv() {
    _extras=$1
    shift
    _python=$(find_python) || exit 1
    _version=$(show_version "$_python")
    _wanted="$_extras $_version $(cksum <setup.cfg) $(pwd)"
    if [ "$(cat .venv/installed 2>/dev/null || true)" = "$_wanted" ]; then
        return 0
    fi
    echo "== installing into .venv (first time: up to a minute)"
    # what another interpreter has installed is of no use to this one
    [ "$(show_version .venv/bin/python)" = "$_version" ] || rm -rf .venv
    $_python -m venv .venv || exit 1
    install_quickly "$_extras" "$@" || install_surely "$_extras" || {
        cat .venv/pip.log >&2
        exit 1
    }
    echo "$_wanted" >.venv/installed
}

show_version() {
    "$1" -c 'import sys; print(sys.version)' 2>/dev/null | tr '\n' ' '
}

# uv takes seconds where pip takes most of a minute, but does not heed an index that pip is told of.
install_quickly() {
    _wanted_extras=$1
    shift
    if [ -n "${PIP_INDEX_URL:-}$(.venv/bin/pip config get global.index-url 2>/dev/null)" ]; then
        return 1
    fi
    .venv/bin/pip install -q --disable-pip-version-check "uv <1" 2>.venv/pip.log &&
        .venv/bin/uv pip install -q --python .venv/bin/python "$@" -e ".[$_wanted_extras]" 2>>.venv/pip.log
}

install_surely() {
    .venv/bin/pip install -q --disable-pip-version-check -e ".[$1]" 2>>.venv/pip.log
}

# find_python: the first interpreter of 3.11 or newer that can make a venv. The distribution's own comes before others:
# it is built with profiles, and all of libra takes a quarter less of a processor on it than on one built without.
find_python() {
    for _candidate in "${PYTHON:-}" /usr/bin/python3 python3 python3.13 python3.12 python3.11; do
        [ -n "$_candidate" ] || continue
        if "$_candidate" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$_candidate"
            return 0
        fi
    done
    echo "cannot find Python 3.11 or newer with its venv: install it (Debian and Ubuntu: python3-venv), or name it in PYTHON" >&2
    return 1
}
