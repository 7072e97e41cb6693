"""What a compiler command line means, from option tables. Pure: no I/O, no clock."""
