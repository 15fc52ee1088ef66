"""What tools/compare_peers is made of."""
