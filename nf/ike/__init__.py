"""The IKEv2 engine: plain calls in, values out.

It opens no socket, reads no clock and owns no randomness (style section 1).
"""
