"""The data path: ESP between TUN devices and UDP or raw sockets, behind one narrow port."""
