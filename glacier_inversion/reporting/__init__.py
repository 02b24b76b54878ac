"""The report: one HTML file that says what was made and how far to trust it."""
