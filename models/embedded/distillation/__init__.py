"""What teaches the student: unlabelled faces, the mean of larger networks, the weights of a former bundle."""
