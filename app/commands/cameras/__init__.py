"""`mien watch` on several sources: from the command line, or from a file for services."""
