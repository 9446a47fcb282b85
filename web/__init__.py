"""What every request gets: its session, its address, its access rule, its headers, its error pages."""
