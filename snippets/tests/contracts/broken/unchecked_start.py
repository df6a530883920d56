"""Shows a traceback when it cannot start."""

import argparse

from contracts.broken import base


def main() -> None:
    """Serve and let errors out."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", default="5566")
    with base.listen("localhost", int(parser.parse_args().port)) as listener:
        base.announce(listener)
        base.one_by_one(listener)


if __name__ == "__main__":
    main()
