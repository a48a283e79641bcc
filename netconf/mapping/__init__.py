"""Between the data tree and the core: configuration -> snapshot, views -> state data.

Only this package knows both sides.
"""
