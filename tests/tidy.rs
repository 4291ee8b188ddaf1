//! The house rules that a machine can check: floors, sizes, module docs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The floor of each top-level module; a file imports only from floors below its own.
const FLOORS: [(&str, u32); 15] = [
    ("engine", 0),
    ("raft", 0),
    ("timeline", 1),
    ("api", 1),
    ("wire", 1),
    ("infra", 2),
    ("client", 3),
    ("components", 4),
    ("world", 5),
    ("scenario", 6),
    ("analysis", 7),
    ("report", 8),
    ("strategies", 8),
    ("cli", 9),
    ("serve", 9),
];

/// Imports within one floor that are allowed, each for a reason.
const SIDEWAYS: [(&str, &str); 4] = [
    // A change of an object is described in the timeline's values.
    ("api", "timeline"),
    // Messages carry objects and requests.
    ("wire", "api"),
    ("wire", "raft"),
    // A proposal carries what led to it to every member.
    ("wire", "timeline"),
];

const LINES_PER_FILE: usize = 500;
const LINES_PER_FUNCTION: usize = 70;

#[test]
fn no_file_imports_upward_or_sideways() {
    let mistakes: Vec<String> =
        sources().iter().flat_map(|(path, text)| bad_imports(path, text)).collect();
    assert!(mistakes.is_empty(), "\n{}", mistakes.join("\n"));
}

/// Two purposes of one number would share a stream: what one draws would shift the other.
#[test]
fn no_two_purposes_of_a_component_have_one_number() {
    let mut seen = BTreeMap::new();
    let mut twice = Vec::new();
    for (path, text) in sources() {
        let Some(component) = path.split('/').nth(2).filter(|_| path.contains("/components/"))
        else {
            continue;
        };
        for line in text.lines().filter(|line| line.contains(": Purpose = Purpose(")) {
            let number = line.rsplit('(').next().unwrap_or_default().trim_end_matches(");");
            let place = format!("{path}: {}", line.trim());
            twice.extend(
                seen.insert((component.to_owned(), number.to_owned()), place.clone())
                    .map(|earlier| format!("{earlier} and {place}")),
            );
        }
    }
    assert!(seen.len() > 20, "the constants are looked for in vain: {seen:?}");
    assert!(twice.is_empty(), "\n{}", twice.join("\n"));
}

#[test]
fn a_planted_upward_import_is_found_in_every_form() {
    for planted in [
        "use crate::world::World;",
        "fn f() { crate::cli::main() }",
        "use crate::{engine::Key, world::World};",
        "use crate::{\n    engine::{Key, Queue},\n    world::{\n        World,\n    },\n};",
        "use healsim::scenario::Game;",
        "use super::super::world::World;",
        "fn f(_: super::super::analysis::Seen) {}",
    ] {
        let found = bad_imports("src/engine/queue.rs", planted);
        assert_eq!(found.len(), 1, "{planted}: {found:?}");
    }
    for planted in [
        "use crate::components::etcd::Etcd;",
        "use crate::components::kubelet_helper::Helper;",
        "use super::super::etcd::Etcd;",
        "use crate::{api::Kind, components::{etcd::Etcd, kubelet::Settings}};",
    ] {
        let found = bad_imports("src/components/kubelet/lease.rs", planted);
        assert_eq!(found.len(), 1, "{planted}: {found:?}");
    }
    for fine in ["use crate::engine::{self, Queue};", "use super::core::World;"] {
        assert!(bad_imports("src/world/mod.rs", fine).is_empty(), "{fine}");
    }
    assert!(bad_imports("src/components/kubelet/lease.rs", "use super::Kubelet;").is_empty());
}

#[test]
fn every_file_says_what_it_is_and_none_is_long() {
    let mut mistakes = Vec::new();
    for (path, text) in sources() {
        if !text.starts_with("//!") {
            mistakes.push(format!("{path}: does not begin with //!"));
        }
        let lines = text.lines().count();
        if lines > LINES_PER_FILE {
            mistakes.push(format!("{path}: {lines} lines, at most {LINES_PER_FILE}"));
        }
        mistakes.extend(long_functions(&path, &text));
    }
    assert!(mistakes.is_empty(), "\n{}", mistakes.join("\n"));
}

#[test]
fn the_core_knows_no_clock_no_thread_and_no_hash_map() {
    let forbidden = [
        "HashMap",
        "HashSet",
        "Instant::",
        "SystemTime",
        "std::thread",
        "thread_local!",
        "thread_rng",
        "f64",
        "f32",
    ];
    let core =
        ["engine", "raft", "timeline", "api", "wire", "infra", "client", "components", "world"];
    let mut mistakes = Vec::new();
    for (path, text) in sources() {
        let Some(module) = module_of(&path) else { continue };
        if !core.contains(&module.as_str()) || path.ends_with("tests.rs") {
            continue;
        }
        for word in forbidden {
            // What a thread remembers there are values of a function.
            let is_memory = word == "thread_local!" && path.ends_with("engine/random.rs");
            if !is_memory && code_lines(&text).any(|line| line.contains(word)) {
                mistakes.push(format!("{path}: uses {word}"));
            }
        }
    }
    assert!(mistakes.is_empty(), "\n{}", mistakes.join("\n"));
}

/// Each import of a module that is not on a lower floor.
fn bad_imports(path: &str, text: &str) -> Vec<String> {
    let Some(mine) = module_of(path) else { return Vec::new() };
    let Some(floor) = floor_of(&mine) else {
        return vec![format!("{path}: `{mine}` has no floor in tests/tidy.rs")];
    };
    let code: String = code_lines(text).collect::<Vec<_>>().join("\n");
    let mut found = Vec::new();
    for import in named_paths(path, &code) {
        let other = import[0].as_str();
        let Some(theirs) = floor_of(other) else { continue };
        let allowed = theirs < floor
            || other == mine && !is_sibling_component(path, &import)
            || SIDEWAYS.contains(&(mine.as_str(), other));
        if !allowed {
            let import = import.join("::");
            found.push(format!("{path}: floor {floor} names {import} of floor {theirs}"));
        }
    }
    found
}

/// True if a component's file names another component.
fn is_sibling_component(path: &str, import: &[String]) -> bool {
    let Some(own) = path.strip_prefix("src/components/").and_then(|p| p.split('/').next()) else {
        return false;
    };
    own != "mod.rs" && import.get(1).is_some_and(|other| other != own)
}

/// Every path that the code names from the crate's root, groups taken apart.
fn named_paths(path: &str, code: &str) -> Vec<Vec<String>> {
    let own: Vec<String> = path
        .trim_start_matches("src/")
        .trim_end_matches(".rs")
        .split('/')
        .filter(|part| *part != "mod")
        .map(str::to_owned)
        .collect();
    let mut found = Vec::new();
    for root in ["crate::", "healsim::"] {
        for rest in code.split(root).skip(1) {
            found.extend(expanded(rest));
        }
    }
    // `super` leads upward from the file's own module; only chains that reach the root matter.
    for (start, _) in code.match_indices("super::") {
        if code[..start].ends_with("super::") {
            continue;
        }
        let mut rest = &code[start..];
        let mut base = own.clone();
        while let Some(further) = rest.strip_prefix("super::") {
            rest = further;
            base.pop();
        }
        let all = expanded(rest).into_iter().map(|tail| [base.clone(), tail].concat());
        found.extend(all);
    }
    found.retain(|path| !path.is_empty());
    found
}

/// The paths of a use tree, as `a::{b, c::d}` is `a::b` and `a::c::d`.
fn expanded(tree: &str) -> Vec<Vec<String>> {
    let tree = tree.trim_start();
    if let Some(group) = tree.strip_prefix('{') {
        return members(group).into_iter().flat_map(expanded).collect();
    }
    let name: String = tree.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    if name.is_empty() {
        return Vec::new();
    }
    let tails = match tree[name.len()..].strip_prefix("::") {
        Some(rest) => expanded(rest),
        None => Vec::new(),
    };
    match tails.is_empty() {
        true => vec![vec![name]],
        false => tails.into_iter().map(|tail| [vec![name.clone()], tail].concat()).collect(),
    }
}

/// What stands between the commas of a group, whose opening brace is behind us.
fn members(group: &str) -> Vec<&str> {
    let (mut depth, mut from, mut found) = (0, 0, Vec::new());
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => {
                found.push(&group[from..at]);
                return found;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(&group[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    found
}

fn floor_of(module: &str) -> Option<u32> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

/// The top-level module that a file belongs to; none for `lib.rs` and `main.rs`.
fn module_of(path: &str) -> Option<String> {
    let name = path.strip_prefix("src/")?.split('/').next()?.trim_end_matches(".rs");
    (name != "lib" && name != "main").then(|| name.to_owned())
}

/// Lines without comments.
fn code_lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.starts_with("//"))
}

/// Functions longer than the limit; rustfmt's indentation tells where each ends.
fn long_functions(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    for (start, line) in lines.iter().enumerate() {
        let body = line.trim_start();
        let words =
            ["fn ", "pub fn ", "pub(super) fn ", "pub(crate) fn ", "const fn ", "pub const fn "];
        let is_empty = body.ends_with("{}");
        if is_empty || !words.iter().any(|word| body.starts_with(word)) {
            continue;
        }
        // A signature without a body, as in a trait.
        let opens = lines[start..].iter().find(|line| line.ends_with('{') || line.ends_with(';'));
        if opens.is_some_and(|line| line.ends_with(';')) {
            continue;
        }
        let end = format!("{}}}", " ".repeat(line.len() - body.len()));
        let length = lines[start..].iter().position(|line| **line == end).unwrap_or(0) + 1;
        if length > LINES_PER_FUNCTION {
            found.push(format!("{path}:{}: a function of {length} lines", start + 1));
        }
    }
    found
}

/// All source files with their text, by path from the project's root.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder is readable") {
            let path = entry.expect("the entry is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let name = path.strip_prefix(root).expect("below the root");
                let text = fs::read_to_string(&path).expect("the file is readable");
                found.push((name.display().to_string(), text));
            }
        }
    }
    found.sort();
    assert!(found.len() > 20, "the sources were found");
    found
}

#[test]
fn every_file_of_tests_is_part_of_the_suite() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let suite = fs::read_to_string(folder.join("suite.rs")).expect("the suite");
    let mut files = 0;
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        if path.extension().is_some_and(|kind| kind == "rs") && name != "suite" {
            assert!(suite.contains(&format!("mod {name};")), "{name} is never run");
            files += 1;
        }
    }
    assert!(files > 20, "only {files} files were found");
}
