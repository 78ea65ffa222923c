"""The command line, a file for each command. Only here is anything printed, and are exit codes set."""
