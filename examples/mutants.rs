//! Leaves out a part of each rule of what is not played, and tells which test catches it. Prints
//! Markdown; ends with an error if one is not caught.
//!
//! `cargo run --example mutants -- FOLDER` copies the sources there, and builds and tests one mutant
//! after the other; `-- FOLDER 3 7` only these. The first one that is tried forgets nothing, and must
//! pass. It takes about two minutes each.

#[path = "../tests/mutants/list.rs"]
mod list;

use list::Mutant;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is run, in this order, until something fails: what is small first.
const TESTS: [&[&str]; 3] = [
    &["--test", "suite", "--", "undisturbed::"],
    &["--lib", "--", "rest::", "probes", "health", "controller_manager", "etcd::"],
    &["--test", "suite", "--", "sparse::"],
];

/// What the property tests have failed at, and try again first.
const SEEDS: &str = "tests/undisturbed.proptest-regressions";

/// What of the checkout is built and read by the tests.
const COPIED: [&str; 10] = [
    "Cargo.toml",
    "build.rs",
    "Cargo.lock",
    "src",
    "tests",
    "models",
    "examples",
    "benches",
    "docs",
    "README.md",
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let folder = words.next().filter(|word| !word.starts_with('-'));
    let folder = PathBuf::from(folder.ok_or("write a FOLDER for the copy, outside the checkout")?);
    let chosen = words.map(|word| word.parse()).collect::<Result<Vec<usize>, _>>()?;
    if fs::canonicalize(&folder).unwrap_or_default().starts_with(fs::canonicalize(".")?) {
        return Err("the FOLDER has to be outside the checkout".into());
    }
    copy(Path::new("."), &folder)?;
    if let Some(test) = caught(&folder)? {
        return Err(format!("{test} fails though nothing is forgotten").into());
    }
    println!("| | it forgets | of | caught by |\n|---:|---|---|---|");
    let mut left = 0;
    for (number, mutant) in list::all().iter().enumerate() {
        if !chosen.is_empty() && !chosen.contains(&number) {
            continue;
        }
        let test = tried(mutant, &folder)?;
        left += usize::from(test.is_none());
        let (forgets, file) = (&mutant.forgets, &mutant.file);
        println!("| {number} | {forgets} | `{file}` | {} |", test.unwrap_or("nothing".into()));
    }
    if left > 0 { Err(format!("{left} not caught").into()) } else { Ok(()) }
}

/// The test that catches a mutant, if one does.
fn tried(mutant: &Mutant, folder: &Path) -> Result<Option<String>, Box<dyn Error>> {
    let path = folder.join(&mutant.file);
    let whole = fs::read_to_string(&path)?;
    fs::write(&path, mutant.of(folder)?)?;
    let test = caught(folder);
    fs::write(&path, whole)?;
    // What one mutant has failed at is no help for the next.
    fs::copy(SEEDS, folder.join(SEEDS))?;
    test
}

/// The first test that fails.
fn caught(folder: &Path) -> Result<Option<String>, Box<dyn Error>> {
    for words in TESTS {
        let mut command = Command::new("cargo");
        command.arg("test").args(words).current_dir(folder).env("PROPTEST_RNG_SEED", "1");
        let done = command.output()?;
        if done.status.success() {
            continue;
        }
        let told = String::from_utf8_lossy(&done.stdout);
        let failed =
            told.lines().find_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
        let error = String::from_utf8_lossy(&done.stderr);
        return match failed {
            Some(test) => Ok(Some(format!("`{test}`"))),
            None if error.contains("could not compile") => Err(error.into_owned().into()),
            None => Ok(Some("a test that ends without a word".into())),
        };
    }
    Ok(None)
}

fn copy(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(to)?;
    COPIED.iter().try_for_each(|name| copy_one(&from.join(name), &to.join(name)))
}

fn copy_one(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    if from.is_dir() {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            copy_one(&from.join(&name), &to.join(&name))?;
        }
        return Ok(());
    }
    // What is the same is left alone, so that it is not built again.
    let text = fs::read(from)?;
    if fs::read(to).ok().as_ref() != Some(&text) {
        fs::write(to, text)?;
    }
    Ok(())
}
