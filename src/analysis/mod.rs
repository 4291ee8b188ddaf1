//! Judges finished runs; it reads timelines and never steers a simulation.

pub mod fidelity;
