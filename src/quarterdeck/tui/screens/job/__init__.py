"""One job with its tabs."""
