//! Command lines that can be pasted into a shell.

use crate::engine::Text;

/// The words after `healsim` as a command.
pub fn command(words: &[Text]) -> String {
    let words = words.iter().map(|word| quoted(word));
    std::iter::once("healsim".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

/// What whoever pastes such a command has to know, if it is more than the command.
pub fn hint(words: &[Text]) -> Option<&'static str> {
    let reads_input = words.windows(2).any(|two| *two[0] == *"-f" && *two[1] == *"-");
    reads_input.then_some("`-f -` reads standard input: save the manifests and write -f FILE")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}
