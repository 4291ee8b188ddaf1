//! The mutants of the rules of what is not played are those of the rules as they stand. Whether each is
//! caught takes an hour: `cargo run --example mutants` tells.

#[path = "mutants/list.rs"]
mod list;

use std::path::Path;

#[test]
fn what_a_mutant_forgets_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mistakes: Vec<String> =
        list::all().iter().filter_map(|mutant| mutant.of(root).err()).collect();
    assert!(mistakes.is_empty(), "\n{}", mistakes.join("\n"));
}
