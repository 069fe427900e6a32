//! PostgreSQL sink: to be written.
