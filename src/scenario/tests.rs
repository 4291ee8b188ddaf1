//! Scenario files: what is read, what is refused, and what is played.
