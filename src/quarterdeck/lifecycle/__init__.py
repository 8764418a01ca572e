"""States, what an observation means, the next act, retries and advice. Pure: `now` is an argument."""
