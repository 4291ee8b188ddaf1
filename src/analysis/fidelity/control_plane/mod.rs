//! Holds simulated control planes against recordings of real ones under faults: what users of their API
//! servers got, who held which Lease, when things came back.
//!
//! A simulated trial is what the recorded one was: the same machines, the same hands on them, and
//! a driver that asks as the recorded one asked. What both saw is brought into steps and judged by
//! `compare`, like every other recording. Where to look:
//!
//! | file | is |
//! |---|---|
//! | `held` | which file is held against which experiment, and what is known to differ |
//! | `driver`, `rig` | the driver as a process, and the hands of whoever runs it |
//! | `experiments` | the faults, one after the other |
//! | `probes` | what users got, as steps |
//! | `leases` | pauses between renewals, as steps |
//! | `words` | what kubectl printed, as steps |
//! | `processes` | what becomes of programs, Leases and Nodes, as steps |

mod driver;
mod experiments;
mod explained;
pub mod held;
mod leases;
mod probes;
mod processes;
mod rig;
mod words;
