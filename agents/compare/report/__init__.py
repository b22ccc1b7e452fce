"""The report of a comparison: its sections as Markdown, the page made of them, and its figure."""
