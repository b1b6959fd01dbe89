#!/bin/sh
# hello: greets, in its newest version. It is deployed as `hello`, and updates itself when it starts.
set -eu

# Once for each start. Without git dist, without a network, or where nothing is due, it goes on as it is.
if [ -z "${HELLO_IS_NEW-}" ] && command -v git-dist >/dev/null; then
    code=0
    git-dist update --wait=5s hello >/dev/null 2>&1 || code=$?
    # There is a newer one: start that in place of this one. `git dist run` says where it is, else it is where this was.
    new=${GIT_DIST_DESTINATION:-$0}
    if [ "$code" -eq 10 ] && [ -x "$new" ]; then
        HELLO_IS_NEW=1 exec "$new" "$@"
    fi
fi
unset HELLO_IS_NEW

echo "Hello, ${1:-world}"
