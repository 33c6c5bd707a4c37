"""Wire formats: bytes in, datapoints or an error out; one file a format."""
