"""The headless loop: takes every run to where it really stands while no screen is open. It fires nothing yet."""
