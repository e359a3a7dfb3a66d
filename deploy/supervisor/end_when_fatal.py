"""End supervisord when a program cannot be started: a container that lacks a program must not look well."""

import os
import signal
import sys

from supervisor.childutils import listener


def main() -> None:
    """Wait for the one event that is listened to; supervisord stops everything else on SIGTERM."""
    _, payload = listener.wait(sys.stdin, sys.stdout)
    sys.stderr.write(f"cannot be started, the container ends: {payload.split()[0]}\n")
    sys.stderr.flush()
    os.kill(os.getppid(), signal.SIGTERM)
    listener.ok(sys.stdout)


if __name__ == "__main__":
    main()
