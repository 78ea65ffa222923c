"""`python -m nnpal` is the `nnpal` command."""

from nnpal.cli.app import app

if __name__ == "__main__":
    app()
