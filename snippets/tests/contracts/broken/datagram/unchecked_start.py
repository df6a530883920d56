"""Does not check what the command line says, nor whether the port is free."""

import contextlib
import sys

from contracts.broken.datagram import base


def main() -> None:
    """Serve until Ctrl-C."""
    port = int(sys.argv[sys.argv.index("--port") + 1])
    with contextlib.suppress(KeyboardInterrupt), base.bind("localhost", port) as sock:
        base.announce(sock)
        base.serve(sock)


if __name__ == "__main__":
    main()
