"""Object stores: where ARCHIVE puts logs."""
