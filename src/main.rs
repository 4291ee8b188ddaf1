//! Arguments in, exit code out.
//!
//! Knows neither scenarios nor reports: the command line (`healsim::cli`) does.

use std::process::ExitCode;

fn main() -> ExitCode {
    healsim::cli::main(&healsim::cli::Library)
}
