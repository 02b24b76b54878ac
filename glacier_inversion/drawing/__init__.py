"""Maps and profiles of what an ensemble predicts."""
