"""The command ``ammoo-fakebroker``: a broker for programs in any language.

`options.py` reads the command line, `serving.py` runs the broker, `readiness.py` waits for one.
"""
