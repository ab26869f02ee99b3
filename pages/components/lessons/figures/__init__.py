"""The published figures: their charts, their pages and how a page is shown."""
