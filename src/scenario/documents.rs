//! The documents of a file: which of them is the scenario, and what it is called.

use super::mistake::{Mistake, crop};
use super::yaml::{Source, Spanned};
use serde::Deserialize;

/// What every manifest begins with.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    api_version: Spanned<String>,
    kind: Spanned<String>,
}

const NO_SCENARIO: &str = "no document of this file is a Scenario; a file of manifests alone is \
                           played with `-f FILE` beside a scenario's name";
/// As long as a name in Kubernetes.
const LONGEST_NAME: usize = 253;
/// The one scenario of a file, and the manifests of the user's own that stand beside it.
pub fn the_scenario_among(documents: Vec<Source>) -> Result<(Source, Vec<Source>), Mistake> {
    let alone = documents.len() == 1;
    let mut found: Option<(Source, Spanned<String>)> = None;
    let mut beside = Vec::new();
    let mut first = None;
    for source in documents {
        let Head { api_version, kind } = source.parse()?;
        let ours = kind.value == "Scenario" || api_version.value.starts_with("healsim/");
        if !ours && !alone {
            first.get_or_insert_with(|| source.mistake(&kind, NO_SCENARIO));
            beside.push(source);
            continue;
        }
        for (found, wanted, what) in
            [(&api_version, "healsim/v1", "apiVersion"), (&kind, "Scenario", "kind")]
        {
            if found.value != wanted {
                let value = crop(&found.value);
                let message = format!("{what} `{value}` is not known; write `{wanted}`");
                return Err(source.mistake(found, message));
            }
        }
        if let Some((_, first)) = &found {
            let line = first.referenced.line();
            let message =
                format!("a second Scenario; the first is in line {line}, and a file has one");
            return Err(source.mistake(&kind, message));
        }
        found = Some((source, kind));
    }
    match found {
        Some((source, _)) => Ok((source, beside)),
        None => Err(first.expect("a file has a document")),
    }
}

/// A name is one of Kubernetes (DNS-1123), or several with `/` between them.
pub fn check_name(source: &Source, name: &Spanned<String>) -> Result<(), Mistake> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let part = |part: &str| {
        part.starts_with(inner)
            && part.ends_with(inner)
            && part.chars().all(|c| inner(c) || matches!(c, '-' | '.'))
    };
    if name.value.len() <= LONGEST_NAME && name.value.split('/').all(part) {
        return Ok(());
    }
    let message = format!(
        "`{}` is not a name; write up to {LONGEST_NAME} lower-case letters, digits, `-` and `.`, \
         for example `worker-lost`",
        crop(&name.value)
    );
    Err(source.mistake(name, message))
}
