"""From a plan to records: rounds, dispatchers, and the driver that stores what arrives."""
