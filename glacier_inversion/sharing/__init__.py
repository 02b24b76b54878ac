"""Work that several commands share, on one machine or on many, by files on a disk."""
