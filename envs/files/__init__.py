"""Pictures, sheets of works and HTML pages, for every world."""
