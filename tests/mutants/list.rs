//! The mutants of the rules of what is not played.

use serde::Deserialize;
use std::path::Path;

/// A rule with a part of it left out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutant {
    pub forgets: String,
    pub file: String,
    pub from: String,
    pub to: String,
}

const LIST: &str = include_str!("list.yaml");

/// All of them.
pub fn all() -> Vec<Mutant> {
    serde_saphyr::from_str(LIST).expect("tests/mutants/list.yaml is a list of mutants")
}

impl Mutant {
    /// The text of its file with the part left out; an error unless the part stands there once.
    pub fn of(&self, root: &Path) -> Result<String, String> {
        let path = root.join(&self.file);
        let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", self.file))?;
        match text.matches(&self.from).count() {
            1 => Ok(text.replace(&self.from, &self.to)),
            times => Err(format!(
                "{}: `{}` is there {times} times, where it would forget {}",
                self.file, self.from, self.forgets
            )),
        }
    }
}
