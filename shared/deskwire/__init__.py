"""What the Deskwire services share."""
