//! Floor 0: simulated time, the event queue, addressed random draws, timers.
//!
//! Knows no Kubernetes, no VMs and no messages: it orders things that fall due.

mod queue;
mod random;
mod text;
mod time;
mod timer;

pub use queue::{Key, Queue};
pub use random::{Delay, Owner, Purpose, Random, below, index_below, name_suffix};
pub use text::{Text, counted, is_like};
pub use time::{Duration, NotADuration, SimTime, Skew};
pub use timer::{Activity, Earliest, Generation, Path, Phase, Rhythm, Rhythmic, Rule, Timer};
