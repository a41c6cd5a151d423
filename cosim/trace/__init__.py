"""What a run leaves behind: declared tables, an append-only writer, a reader, a content hash."""
