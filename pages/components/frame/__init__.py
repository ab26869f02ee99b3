"""What every page starts with: config, login, link, sidebar."""
