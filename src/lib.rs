//! healsim: a deterministic discrete-event simulator of how a Kubernetes cluster heals itself.
//!
//! A schedule (a cluster of a platform, and what breaks in it when) and a seed go in; a timeline
//! comes out: what happened, when, and what led to it. Same input, same bytes. Tests depend on it with
//! `default-features = false`, which leaves out the terminal, and with the feature `strategies` if
//! they draw schedules with proptest. `docs/library.md` is the guide.
//!
//! ```
//! use healsim::analysis::assertions::Check;
//! use healsim::analysis::fuzz::{Schedule, Shape};
//! use healsim::engine::{Duration, SimTime};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let schedule = Schedule::on("tkgs-2024", Shape::new(1, 1))
//!     .at(Duration::from_secs(10), "stopUnit: { vm: worker-0, unit: kubelet }");
//!
//! // Held to all ready-made laws for one simulated minute.
//! let minute = Duration::from_secs(60);
//! Check::lasting(minute).holds(&schedule)?;
//!
//! // Or played, and looked at.
//! let game = schedule.game(minute)?;
//! let run = game.play(1);
//! let ended = run.timeline.happened().iter().find(|entry| entry.kind == *"Process");
//! let ended = ended.expect("the fault has found its target");
//! assert_eq!(ended.object(), "Process/kubelet@worker-0");
//! assert_eq!(ended.at, SimTime::ZERO + Duration::from_secs(10));
//! # Ok(())
//! # }
//! ```
//!
//! # What to build on
//! | for | take |
//! |---|---|
//! | a cluster and what breaks in it | [`analysis::fuzz::Schedule`]; from a file [`scenario::Scenario`] and [`scenario::Game`] |
//! | a run step by step, and its forks | [`scenario::Simulation`]: `step`, `run_until`, `fork`, `view`, `add_process` |
//! | what there is, to look at | [`world::View`], at each change with a [`scenario::Observer`] |
//! | what came of it | [`timeline::Run`], [`timeline::Timeline`], [`timeline::Entry`] |
//! | laws, ready-made and of one's own | [`analysis::invariants`] |
//! | assertions | [`analysis::assertions`] |
//! | random schedules | `strategies` (feature `strategies`), [`analysis::fuzz::Deck`] |
//! | a controller of one's own | [`world::CustomProcess`], [`infra::Ctx`], [`wire::Message`], [`api`] |
//!
//! All else is public for this crate's own binary and tests, and changes without notice. Times are
//! whole microseconds ([`engine::Duration`], [`engine::SimTime`]); what a user wrote wrongly is a
//! [`scenario::Mistakes`] with their places; what fails inside the simulation is data, never an error.

pub mod analysis;
pub mod api;
#[cfg(feature = "cli")]
pub mod cli;
pub mod client;
pub mod components;
pub mod engine;
pub mod infra;
pub mod raft;
pub mod report;
pub mod scenario;
#[cfg(feature = "strategies")]
pub mod strategies;
pub mod timeline;
pub mod wire;
pub mod world;

/// What docs/library.md shows compiles.
#[cfg(all(doctest, feature = "strategies"))]
#[doc = include_str!("../docs/library.md")]
struct LibraryPage;
