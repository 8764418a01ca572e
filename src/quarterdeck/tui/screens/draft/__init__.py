"""The draft editor of a job."""
