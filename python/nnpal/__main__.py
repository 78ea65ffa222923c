"""`python -m nnpal` is the `nnpal` command."""

from nnpal.cli import app

if __name__ == "__main__":
    app()
