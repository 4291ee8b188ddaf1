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

/// As long as a name in Kubernetes.
const LONGEST_NAME: usize = 253;
/// The one scenario of a file, which may stand beside manifests of the user's own.
pub fn the_scenario_among(documents: Vec<Source>) -> Result<Source, Mistake> {
    let alone = documents.len() == 1;
    let mut found: Option<(Source, Spanned<String>)> = None;
    for source in documents {
        let Head { api_version, kind } = source.parse()?;
        let ours = kind.value == "Scenario" || api_version.value.starts_with("healsim/");
        if !ours && !alone {
            let message = format!(
                "kind `{}` is not read yet; this release plays the platform's own workloads and \
                 health check, so leave the document out",
                crop(&kind.value)
            );
            return Err(source.mistake(&kind, message));
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
    Ok(found.expect("a document that is no scenario was refused").0)
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
