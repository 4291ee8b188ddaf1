//! Arguments in, exit code out.
//!
//! Knows neither scenarios nor reports: the command line (`healsim::cli`) does.

use healsim::cli::{Listing, Options, Player, Question, Shown};
use healsim::timeline::Run;
use std::process::ExitCode;

fn main() -> ExitCode {
    healsim::cli::main(&NoWorld)
}

/// Stands where the world will be: every input is unknown to it.
struct NoWorld;

impl Player for NoWorld {
    fn play(&self, input: &str, _: &Options, _: u64) -> Result<Run, Vec<String>> {
        Err(unknown(input))
    }
    fn lint(&self, input: &str, _: &Options) -> Result<String, Vec<String>> {
        Err(unknown(input))
    }
    fn list(&self, _: Listing, _: Option<&str>) -> Result<Vec<String>, Vec<String>> {
        Ok(Vec::new())
    }
    fn show(&self, _: Shown, name: &str) -> Result<String, Vec<String>> {
        Err(unknown(name))
    }
    fn get(&self, input: &str, _: &Options, _: &Question) -> Result<String, Vec<String>> {
        Err(unknown(input))
    }
}

fn unknown(input: &str) -> Vec<String> {
    vec![format!("no scenario `{input}`; none are known yet")]
}
