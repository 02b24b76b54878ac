"""What tests of a cross-validation share."""


def small(run):
    """Make training short, and the criterion one of training."""
    run.raw.update({"epochs": 3, "criterion": "loss"})
    run.write()
    return run
