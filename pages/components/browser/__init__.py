"""Components of our own in the browser, one folder each, and the bridge over which they get their data."""
