//! Cluster API: verdicts, drains and replacements.
