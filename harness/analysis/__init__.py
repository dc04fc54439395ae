"""Stored records as frames, metrics and fits.

    from harness.analysis.query import results, cells, latest
    from harness.analysis.external import externals, compare_versions
    from harness.analysis.metrics import METRICS
    from harness.analysis.scaling import fitted_exponent

Nothing is imported here, so that a fit needs no pandas.
"""
