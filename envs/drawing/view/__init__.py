"""What is seen of a drawing: pictures, sheets, SVG, GIF, page."""
