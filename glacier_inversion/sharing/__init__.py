"""Work that is shared among processes, commands and machines."""
