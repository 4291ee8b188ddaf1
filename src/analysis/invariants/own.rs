//! Laws of one's own: beside the ready-made ones, for what only one's own cluster is held to.

use super::{Breach, Ending, Kind, Law, Seen, Verdict};
use crate::engine::Text;
use crate::timeline::EntryId;
use std::fmt;

/// A law of one's own, which can watch any number of runs.
///
/// ```
/// use healsim::analysis::invariants::OwnLaw;
///
/// fn the_api_has_a_server() -> OwnLaw {
///     OwnLaw::always("the_api_has_a_server", |seen| {
///         let mut servers = seen.view.processes().filter(|it| it.program == *"kube-apiserver");
///         match servers.any(|server| server.alive) {
///             true => Ok(()),
///             false => Err("no kube-apiserver runs".to_owned()),
///         }
///     })
/// }
/// assert_eq!(the_api_has_a_server().name(), "the_api_has_a_server");
/// ```
#[derive(Debug)]
pub struct OwnLaw {
    name: &'static str,
    kind: Kind,
    law: Box<dyn Law>,
}

impl OwnLaw {
    /// A law that keeps what it needs of the past in a type of its own.
    ///
    /// The name is best that of the function which makes it: then the tests that a failure prints
    /// compile as they are.
    pub fn new(name: &'static str, kind: Kind, law: impl Law + 'static) -> OwnLaw {
        OwnLaw { name, kind, law: Box::new(law) }
    }

    /// A law that has to hold after each change that was written down; broken, it says how in a
    /// sentence.
    pub fn always(
        name: &'static str,
        holds: impl FnMut(Seen) -> Result<(), String> + Clone + Send + 'static,
    ) -> OwnLaw {
        OwnLaw::new(name, Kind::Always, Always { holds })
    }

    /// A law that has to hold when a run ends; broken, it says how. Whether faults have been over
    /// for long enough is for the law to judge, from [`Ending::last_fault`].
    pub fn in_the_end(
        name: &'static str,
        holds: impl FnMut(&Ending) -> Result<(), String> + Clone + Send + 'static,
    ) -> OwnLaw {
        OwnLaw::new(name, Kind::Eventually, InTheEnd { holds })
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// When it has to hold.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// A watch over a run that begins.
    pub(super) fn begin(&self) -> Box<dyn Law> {
        self.law.fork()
    }
}

impl Clone for OwnLaw {
    fn clone(&self) -> OwnLaw {
        OwnLaw { name: self.name, kind: self.kind, law: self.law.fork() }
    }
}

#[derive(Clone)]
struct Always<F> {
    holds: F,
}

#[derive(Clone)]
struct InTheEnd<F> {
    holds: F,
}

impl<F> Law for Always<F>
where
    F: FnMut(Seen) -> Result<(), String> + Clone + Send + 'static,
{
    fn look(&mut self, seen: Seen) -> Verdict {
        let entries = seen.news.last().map(|entry| entry.id).into_iter().collect();
        match (self.holds)(seen) {
            Ok(()) => Verdict::Holds,
            Err(says) => Verdict::Broken(told(says, entries)),
        }
    }

    fn fork(&self) -> Box<dyn Law> {
        Box::new(self.clone())
    }
}

impl<F> Law for InTheEnd<F>
where
    F: FnMut(&Ending) -> Result<(), String> + Clone + Send + 'static,
{
    fn look(&mut self, _: Seen) -> Verdict {
        Verdict::Holds
    }

    fn end(&mut self, ending: &Ending) -> Verdict {
        match (self.holds)(ending) {
            Ok(()) => Verdict::Holds,
            Err(says) => Verdict::Broken(told(says, Vec::new())),
        }
    }

    fn fork(&self) -> Box<dyn Law> {
        Box::new(self.clone())
    }
}

/// A whole sentence, which names its object itself.
fn told(says: String, entries: Vec<EntryId>) -> Breach {
    Breach { object: Text::EMPTY, says: Text::from(says), entries }
}

// A closure has nothing to show.
impl<F> fmt::Debug for Always<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Always")
    }
}

impl<F> fmt::Debug for InTheEnd<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InTheEnd")
    }
}
