"""Copy a file by a plain loop: read 256 KiB, write them."""

import sys

CHUNK = 262_144  # bytes


def main() -> None:
    """Copy the first argument to the second."""
    source, target = sys.argv[1:]
    with open(source, "rb", 0) as reader, open(target, "xb", 0) as writer:  # noqa: PTH123
        while chunk := reader.read(CHUNK):
            while chunk:  # a write may stop halfway
                chunk = chunk[writer.write(chunk) :]


if __name__ == "__main__":
    main()
