"""What the operators' console shows: pure functions from what a worker sees to words and bars."""
