"""Rendering of a page: HTML for the report and the site, Markdown, pictures of charts."""
