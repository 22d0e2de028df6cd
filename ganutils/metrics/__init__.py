"""Quality of generated images in numbers: features of the genuine FID network, and metrics of features."""
