//! The controllers of the manager, each with its events in and effects out.
