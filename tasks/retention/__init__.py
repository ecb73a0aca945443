"""What is stored, who needs it, and what may go. Decided from records alone; then removed."""
