//! How Cluster API's contract v1beta2 puts the conditions of an object, or one condition of many
//! objects, into one message.
//!
//! Follows `util/conditions/merge_strategies.go`. It only makes words: what a sum comes to is for its
//! owner to say.

/// A message as it stands behind a colon: on lines of its own, further in, if it has several lines or
/// items.
pub fn behind_colon(message: &str) -> String {
    if !message.contains('\n') && !has_item(message) {
        return format!(" {message}");
    }
    let all_items = message.split('\n').all(has_item);
    let lines = message.split('\n').map(|line| {
        let further_in = match (all_items, has_item(line)) {
            (true, _) => "  ",
            (false, true) => "    ",
            (false, false) => "  * ",
        };
        format!("\n{further_in}{line}")
    });
    lines.collect()
}

/// True if there is a star with space behind it, wherever it stands.
fn has_item(text: &str) -> bool {
    text.match_indices('*').any(|(at, _)| text[at + 1..].starts_with(char::is_whitespace))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_moved_further_in_and_a_sentence_above_one_becomes_an_item() {
        assert_eq!(behind_colon("Machine is deleting"), " Machine is deleting");
        assert_eq!(behind_colon("* Node.Ready: no"), "\n  * Node.Ready: no");
        assert_eq!(behind_colon("* a: x\n* b: y"), "\n  * a: x\n  * b: y");
        let failed = "Health check failed:\n  * Condition Ready on Node is reporting";
        assert_eq!(
            behind_colon(failed),
            "\n  * Health check failed:\n      * Condition Ready on Node is reporting"
        );
    }
}
