"""``python -m bookbuild.lint [FILE ...]``; without a file, all that there is."""

import sys
from pathlib import Path

from bookbuild.lint import check, everything


def main(arguments: list[str] | None = None) -> int:
    names = sys.argv[1:] if arguments is None else arguments
    paths = [Path(name) for name in names] or everything(Path())
    count = 0
    for path in paths:
        for number, message in sorted(check(path)):
            count += 1
            print(f"{path}:{number}: {message}")
    print(f"{len(paths)} files: {f'{count} problems' if count else 'ok'}")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
