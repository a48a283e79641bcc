"""libyang behind a narrow door: the only code that holds its objects across calls, so that another library can take
its place.

Everything here runs on one thread (libyang keeps its errors by thread, and its trees have no locks).
"""
