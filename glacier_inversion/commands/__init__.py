"""The command line: options, messages and exit codes; commands beside those of cli."""
