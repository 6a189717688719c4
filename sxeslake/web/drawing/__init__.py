"""Maps, camera images, spectra and colour bars, drawn on the server."""
