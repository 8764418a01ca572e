"""The use cases: what a screen, the command line and the scheduler call. The only writer.

Everything that is shown comes out as plain data in the shapes of the command line's JSON (`views`).
"""
