"""Each layout in which people have images → ranges of samples."""
