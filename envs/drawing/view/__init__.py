"""How a drawing is shown: pictures, SVG, GIF, page."""
