"""Draft, publish, activate, diff, effective settings and freeze, as pure functions over plain specs."""
