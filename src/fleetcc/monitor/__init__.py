"""What people look at: status now; top, web, metrics and trace build on it."""
