//! Floor 0: simulated time, the event queue, addressed random draws, timers.
//!
//! Knows no Kubernetes, no VMs and no messages: it orders things that fall due.

mod text;
mod time;

pub use text::Text;
pub use time::{Duration, NotADuration, SimTime};
