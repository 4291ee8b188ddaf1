//! Lessons: a scenario's questions with the answers of one seed, computed from the run and from forks.
//!
//! Nothing here knows how a question is shown or an answer typed; nothing in a file knows an answer.

mod action;
mod answer;
mod cause;
mod choices;
mod course;
mod disasters;
mod prepare;
mod sheet;
mod statuses;
#[cfg(test)]
mod tests;
mod value;

pub use answer::{Answer, FULL, Mark, Score, Stop, letter};
pub use course::Course;
pub use prepare::{NothingAsked, Prepared, prepare};
pub use sheet::{Choice, Form, Outcome, Posed, Sheet};
