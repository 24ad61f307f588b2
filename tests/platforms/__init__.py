"""What can be proved of other platforms on a Linux machine: by their headers, under emulation, in a sandbox."""
