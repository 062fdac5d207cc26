"""The statistics of the management API: how often clients have published, got, acked and the like.

The broker's core knows nothing of them. It reports events to one recorder, as for the history; where
there is a management API, this recorder counts, and passes all on to the history.
"""
