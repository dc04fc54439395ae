"""Charts, pages, the static report and the live app."""
