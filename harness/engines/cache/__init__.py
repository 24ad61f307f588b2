"""What engines make once and keep: images, kernels, trees of packages."""
