"""What users type: one module per verb."""
