"""What a student uses: commands, the workbook, the card of a check, the notebook."""
