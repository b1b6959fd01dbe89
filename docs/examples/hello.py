#!/usr/bin/env python3
"""hello: greets, in its newest version. It is deployed as `hello`, and updates itself when it starts."""

import os
import subprocess
import sys

# What `git dist update --wait` ends with when something new is active.
NEW = 10


def start_newest():
    """Becomes the newest version, if there is one that this is not."""
    # Once for each start.
    if os.environ.pop("HELLO_IS_NEW", None):
        return
    try:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        update = subprocess.run(["git-dist", "update", "--wait=5s", "hello"], **quiet, check=False)
        if update.returncode == NEW:
            # `git dist run` says where it is, else it is where this one was started.
            new = os.environ.get("GIT_DIST_DESTINATION", sys.argv[0])
            os.execve(new, [new, *sys.argv[1:]], {**os.environ, "HELLO_IS_NEW": "1"})
    except OSError:
        # There is no git dist here, or nothing to start: it goes on as it is.
        return


def main():
    start_newest()
    print("Hello,", sys.argv[1] if len(sys.argv) > 1 else "world")


if __name__ == "__main__":
    main()
