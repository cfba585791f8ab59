"""Entry point of ``python -m bookbuild``."""

import sys

from bookbuild.build import main

sys.exit(main())
