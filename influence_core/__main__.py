"""``python -m influence_core``: the command line."""

from influence_core.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
