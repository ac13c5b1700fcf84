# Sourced by check.sh and test.sh: runs named steps, times them, remembers which failed.
PATH="$PWD/.venv/bin:$PATH"
export PATH
failed=""

# step NAME COMMAND...
step() {
    name=$1
    shift
    echo "== $name"
    began=$(date +%s)
    if "$@"; then
        echo "== $name: ok, $(($(date +%s) - began)) s"
    else
        echo "== $name: FAILED, $(($(date +%s) - began)) s"
        failed="$failed $name;"
    fi
}

# Exit status of the whole; names the steps that failed.
finish() {
    [ -z "$failed" ] && return 0
    echo "failed:$failed" >&2
    return 1
}
