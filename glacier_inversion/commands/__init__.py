"""The commands of the command line, their options, messages and exit codes."""
