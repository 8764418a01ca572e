"""The store room: it alone knows SQLite and TinyDB. Its promises stand in `ports.store`."""
