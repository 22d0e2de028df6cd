"""What `tests/faults.py` is made of."""
