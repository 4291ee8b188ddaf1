//! Every single fault and every pair of faults on a platform: which of them it does not survive, and
//! what then. Prints its own time.
//!
//! `cargo run --release --example exhaustive > docs/exhaustive.md`, or with another platform and
//! number of faults as its arguments.

use healsim::analysis::Control;
use healsim::analysis::fuzz::{Question, exhaust};
use healsim::engine::Text;
use healsim::report::{Style, write_exhausted};
use std::env;
use std::error::Error;

#[expect(clippy::disallowed_types, reason = "it tells how long it took")]
fn main() -> Result<(), Box<dyn Error>> {
    let begun = std::time::Instant::now();
    let platform = env::args().nth(1).unwrap_or("tkgs-2024".to_owned());
    let faults = env::args().nth(2).map_or(Ok(2), |faults| faults.parse())?;
    let jobs = std::thread::available_parallelism().map_or(1, Into::into);
    let platform = Text::from(platform);
    let (settings, kinds) = (Vec::new(), Vec::new());
    let question = Question { platform, settings, faults, seed: 1, kinds, jobs };
    question.fits()?;
    let found = exhaust(&question, &Control::default()).map_err(|wrong| wrong.join("\n"))?;
    print!("{}\n```text\n", include_str!("exhaustive.md"));
    write_exhausted(&found, Style::Plain, &mut std::io::stdout())?;
    let seconds = begun.elapsed().as_secs();
    let (minutes, rest) = (seconds / 60, seconds % 60);
    println!(
        "```\n\nMade in {minutes} min {rest} s on {jobs} threads: {} cases.",
        found.cases.len()
    );
    Ok(())
}
