//! The network's ways to fail, and what outlives what.
