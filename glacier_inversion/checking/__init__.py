"""What can be said of an experiment before work starts."""
