"""One package per place of the application; a screen never imports another, it posts where to go."""
