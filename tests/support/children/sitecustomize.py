"""What Python does first in the processes that tests start: see to it that they start in two thirds of the time.

The search for garbage while the libraries are read finds none, and at the end all of them would be taken apart with
care. The programs themselves are none the wiser.
"""

import atexit
import gc

gc.set_threshold(50_000, 20, 10)
atexit.register(gc.freeze)
