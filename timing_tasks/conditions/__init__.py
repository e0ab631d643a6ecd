"""What a row of a table reports: a task, a net, a recipe, a protocol and a budget, as plain checked data."""
