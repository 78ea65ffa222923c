"""For one release: ``python -m nnpal.loop.task FOLDER``, as texts of older runs name it."""

import sys

from nnpal.active_learning.engine.task import main

if __name__ == "__main__":
    sys.exit(main())
