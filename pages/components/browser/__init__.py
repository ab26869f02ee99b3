"""What runs in the browser, one folder per component.

A folder holds ``__init__.py``, which registers the component and packs its messages, and ``component.js`` with what it
imports from its own folder and from ``shared/``; ``component.css`` and ``component.html`` are imported as modules too.
``bridge.py`` puts them all where a browser fetches them once, and registers.
"""
