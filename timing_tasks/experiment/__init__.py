"""What is run: from conditions to rows, whatever interrupts it in between."""
