"""Has no build."""
