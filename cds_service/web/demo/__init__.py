"""The demo chart: a small EHR in the browser, served by `crs-cds demo` only."""
