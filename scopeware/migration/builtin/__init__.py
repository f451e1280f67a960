"""Mappings that ship."""
