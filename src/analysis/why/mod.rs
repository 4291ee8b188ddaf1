//! Why a milestone comes when it comes: the critical path from the fault, wait by wait.
//!
//! A run is played once more with a ledger of all steps, and the ledger is read backwards. The
//! parts add up to the whole by construction; each names the rule that it waited for, which is a
//! setting of the catalog or words for what nobody can set.

mod ask;
mod graph;
mod never;
mod news;
mod path;
mod shares;

pub use ask::{Question, Settings, Unanswered, Why, why};
pub use graph::{Graph, Node, graph, longest};
pub use never::{Never, Release, Waiting, never};
pub use path::Part;
pub use shares::{RuleShare, Share, Shares, shares, sum_up};
