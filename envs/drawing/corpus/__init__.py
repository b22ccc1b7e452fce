"""Human works of the drawing world: reading icons, SVG and images, tracing, variations."""
