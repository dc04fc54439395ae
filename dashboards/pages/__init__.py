"""Pages: one file each, with its title and purpose, its charts and the table behind every chart."""
