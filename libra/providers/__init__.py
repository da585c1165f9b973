"""Where devices come from: an inventory, this host, or what another package brings."""
