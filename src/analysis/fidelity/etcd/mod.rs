//! Holds simulated etcd members against recordings of real ones.
//!
//! A simulated trial is what the recorded one was: three members, the same load, the same fault, and
//! a driver that sees what a client sees, with its period and its rounding. Where to look:
//!
//! | file | is |
//! |---|---|
//! | `recorded` | what was measured |
//! | `held` | which file is held against which experiment |
//! | `driver`, `rig` | the driver as a process, and the hands of whoever runs it |
//! | `one_member`, `quorum`, `partition`, `catch_up`, `data_dir` | the experiments |
//! | `trial` | what one trial comes to |
//! | `judge`, `explained`, `table` | verdicts, known differences, Markdown |

mod catch_up;
mod data_dir;
mod driver;
pub mod explained;
pub mod held;
pub mod judge;
#[cfg(test)]
mod judge_tests;
mod one_member;
mod partition;
mod quorum;
pub mod recorded;
mod rig;
pub mod table;
pub mod trial;
