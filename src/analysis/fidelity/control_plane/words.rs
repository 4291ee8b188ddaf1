//! What kubectl printed while the quorum was lost, as steps: for each command its words, and how long it took.
//!
//! Both sides come here: what the laptop printed, and the lines of a recording.

use super::super::steps::{Step, Steps};
use crate::engine::Duration;
use serde_json::Value as Json;

/// One command and what it printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    pub command: &'static str,
    pub words: String,
    pub took: Duration,
}

/// The commands that both sides know, by what the recorded one begins with.
pub const COMMANDS: [&str; 4] =
    ["kubectl get nodes", "kubectl get pods", "kubectl scale deployment", "kubectl create"];

/// The commands in the lines of a recording.
///
/// # Errors
/// A line is not a command.
pub fn of_recording(text: &str) -> Result<Vec<Printed>, String> {
    let mut printed = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let wrong = |error: serde_json::Error| format!("line {number} of the recording: {error}");
        let json: Json = serde_json::from_str(line).map_err(wrong)?;
        let (Some(command), Some(seconds)) = (json["command"].as_str(), json["took"].as_f64())
        else {
            continue;
        };
        let known = COMMANDS.into_iter().find(|known| command.starts_with(known));
        if let Some(command) = known {
            let words = json["stderr"].as_str().unwrap_or_default().to_owned();
            let took = Duration::from_micros((seconds * 1e6).round() as u64);
            printed.push(Printed { command, words, took });
        }
    }
    Ok(printed)
}

/// What was printed, as steps.
pub fn steps(printed: &[Printed]) -> Steps {
    let mut steps = Steps::new();
    for one in printed {
        let words = plain(&one.words);
        // A role for each text: how long two of them take has no order.
        let step = Step {
            role: format!("{}: {words}", one.command),
            field: "printed".to_owned(),
            value: "after".to_owned(),
        };
        steps.entry(step).or_default().after.push(one.took);
    }
    steps
}

/// Without what differs from run to run, and from one kind of object to another.
fn plain(words: &str) -> String {
    let mut plain = words.trim_end().replace("workload:6443", "$server");
    plain = plain.replace("HOST:PORT", "$server");
    // There a ConfigMap was created, here a Deployment.
    plain = plain
        .replace("create configmap", "create $kind")
        .replace("create deployment", "create $kind");
    let Some((before, rest)) = plain.split_once("stream ID ") else { return plain };
    let after = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
    format!("{before}stream ID $n{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_same_on_both_sides() {
        let recorded = "Unable to connect: stream error: stream ID 17; INTERNAL_ERROR\n";
        assert_eq!(
            plain(recorded),
            "Unable to connect: stream error: stream ID $n; INTERNAL_ERROR"
        );
        let refused = ["server HOST:PORT was", "server workload:6443 was"].map(plain);
        assert_eq!(refused[0], refused[1]);
    }
}
