"""What is shown: tables and figures, pure functions of rows; analyses that run nets again stand beside them."""
