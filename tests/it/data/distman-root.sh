#!/bin/sh
# Makes the repository `project` here, three commits on `main`, and deploys each of them twice to $DEPLOY_ROOT with
# the distman whose commands are in the folder $1: versions 0 to 5, more than there are commits. Without $1 it makes
# the repository only, which has the same commit ids everywhere. The folder distman-root beside this script is such a
# root; `sh distman-root.sh BIN` in an empty folder, with DEPLOY_ROOT set, makes it again.
set -eu

export GIT_AUTHOR_NAME='Tess Tester' GIT_AUTHOR_EMAIL=tess@example.org
export GIT_COMMITTER_NAME="$GIT_AUTHOR_NAME" GIT_COMMITTER_EMAIL="$GIT_AUTHOR_EMAIL"
umask 022

git init --quiet --initial-branch=main project
cd project
git remote add origin https://example.org/group/project.git
mkdir -p lib/tool/sub bin
cat >dist.json <<'JSON'
{
    "version": 1,
    "author": "tess@example.org",
    "targets": {
        "lib": { "source": "lib/tool", "destination": "{DEPLOY_ROOT}/lib/python/tool" },
        "bin": { "source": "bin/*", "destination": "{DEPLOY_ROOT}/bin/%1" }
    }
}
JSON
for round in one two three; do
    echo "$round" >lib/tool/file
    echo "$round" >lib/tool/sub/file
    printf '#!/bin/sh\necho %s\n' "$round" >bin/run
    chmod +x bin/run
    echo "$round" >"bin/read.me"
    git add --all
    case $round in one) day=1 ;; two) day=2 ;; *) day=3 ;; esac
    export GIT_AUTHOR_DATE="2026-01-0${day}T12:00:00Z" GIT_COMMITTER_DATE="2026-01-0${day}T12:00:00Z"
    git commit --quiet --message "$round"
    # distman looks whether the branch is ahead of its remote.
    git update-ref refs/remotes/origin/main HEAD
    if [ -n "${1-}" ]; then
        "$1/dist" -y
        "$1/dist" -y --force
    fi
done
