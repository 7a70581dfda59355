"""Records → Chinese reports: HTML, xlsx and docx. Nothing but the run's record is read."""
