"""Bytes to pixels and back: sniffing, decoding in a limited process, drawing."""
