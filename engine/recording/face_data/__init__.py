"""What is written of a face beside its expression: columns of the CSV, and the file with its landmarks."""
