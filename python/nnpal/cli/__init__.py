"""The command line, with one file per command. Only this package prints and sets exit codes."""
