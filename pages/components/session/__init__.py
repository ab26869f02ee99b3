"""This session: settings, view, link, caches, errors. Nothing else spells its keys."""
