"""Figures from arrays: they know no settings, no session and no page."""
