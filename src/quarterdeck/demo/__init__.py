"""The demo: a workspace of its own with real data and sample jobs, each of which promises how it ends.

`folder` holds what lies on disk, `samples` what is run, `filling` makes the workspace, `running` runs it all.
"""
