//! Floor 6: scenarios: what breaks when, played to the end, and judged.

mod faults;
mod health;
mod simulation;

pub use faults::{Fault, KINDS, KillProcess, PowerOff, StopUnit};
pub use health::is_well;
pub use simulation::{DEFAULT_BUDGET, Observer, Plan, Played, Simulation};
