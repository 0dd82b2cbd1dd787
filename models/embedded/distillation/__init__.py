"""What the student is taught with: unlabelled faces, the mean of larger networks, and the weights of a former bundle."""
