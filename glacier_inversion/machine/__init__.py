"""The machine that a command runs on: its memory and disks, signals, and crashes."""
