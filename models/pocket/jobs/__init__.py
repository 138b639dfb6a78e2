"""One file per agent: its documents, its wordings, its gold answers."""
