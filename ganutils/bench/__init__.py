"""What the kit's speed is measured with: `ganutils bench`. Nothing here is used in training."""
