"""Where jobs run: local slots or the fleet's workers, attempts, devices, servers."""
