"""``python -m flows`` is ``nightmark``."""

from flows.cli.main import main

if __name__ == "__main__":
    main()
