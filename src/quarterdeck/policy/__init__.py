"""May this actor do this, and what may be saved. Pure; what a spec may hold is in `model`."""
