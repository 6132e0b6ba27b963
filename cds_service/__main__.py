"""`python -m cds_service` is `crs-cds`."""

from cds_service.cli.main import main

if __name__ == "__main__":
    main()
