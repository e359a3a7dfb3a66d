#!/usr/local/bin/python3 -IS
"""Ask every address given whether it answers 200: the health check of a container, which has no curl."""

import http.client
import sys
from urllib.parse import urlsplit

SECONDS = 4


def trouble(address: str) -> str | None:
    """Give what is wrong with an address."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.netloc, timeout=SECONDS)
    try:
        connection.request("GET", parts.path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"{address}: {type(error).__name__}"
    finally:
        connection.close()
    return None if status == http.client.OK else f"{address}: {status}"


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.stderr.write("healthcheck http://127.0.0.1:PORT/PATH ...\n")
        raise SystemExit(2)
    found = [said for said in map(trouble, sys.argv[1:]) if said]
    sys.stdout.write("\n".join(found))
    raise SystemExit(1 if found else 0)
