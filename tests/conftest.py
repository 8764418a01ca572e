"""What holds for all tests: Hypothesis's profiles, and Ctrl-C.

A developer's run explores anew each time; CI repeats the same examples, so red means a change.
"""

import os
import signal

from hypothesis import settings

settings.register_profile("explore", deadline=None)
settings.register_profile("repeat", deadline=None, derandomize=True)
settings.load_profile("repeat" if os.environ.get("CI") else "explore")

# A shell starts what stands behind `&` so that it ignores Ctrl-C, and so would every command of a test.
signal.signal(signal.SIGINT, signal.default_int_handler)
